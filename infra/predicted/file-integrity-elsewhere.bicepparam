using '../main.bicep'

param environmentName = 'test'
param location = 'westeurope'
param defenderPrincipalId = '00000000-0000-0000-0000-00000000defe'
param secretNames = 'PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD,SERVICENOW_POSTURE_PASSWORD'
// Each is another subscription's.
param existingWorkspaceId = '/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/soc/providers/Microsoft.OperationalInsights/workspaces/soc-logs'
param fileIntegrity = true
param fileIntegrityWorkspaceId = '/subscriptions/00000000-0000-0000-0000-000000000006/resourceGroups/servers/providers/Microsoft.OperationalInsights/workspaces/server-logs'
// As it is copied out of a page.
param consoleClientId = ' 00000000-0000-0000-0000-0000000C11E4 '
param storageLogs = true
param appLogs = true
param storageRedundancy = 'Standard_LRS'
// With zones, where one would become two.
param zoneRedundant = true
param alwaysReady = 3
param firstDeployed = '2026-11-24T12:00:00Z'
