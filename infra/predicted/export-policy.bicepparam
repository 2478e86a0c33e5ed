using '../export-policy.bicep'

param cwppHubId = '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-alert-router-test/providers/Microsoft.EventHub/namespaces/evhns-test/eventhubs/cwpp'
param cspmHubId = '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-alert-router-test/providers/Microsoft.EventHub/namespaces/evhns-test/eventhubs/cspm'
param location = 'westeurope'
