using '../main.bicep'

param environmentName = 'test'
param location = 'westeurope'
param defenderPrincipalId = '00000000-0000-0000-0000-00000000defe'
param secretNames = 'PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD,SERVICENOW_POSTURE_PASSWORD'
param private = true
// One instance that is always ready would become two.
param zoneRedundant = true
// Production.
param databaseSize = 'Standard_D2ds_v5'
param databaseHighAvailability = 'ZoneRedundant'
param databaseStorageGB = 128
param databaseBackupDays = 35
param databaseVersion = '17'
param pagerActionGroupId = '/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/soc/providers/Microsoft.Insights/actionGroups/pager'
param sentinel = true
// As people write lists: with blanks, in capitals, and twice.
param operators = '00000000-0000-0000-0000-000000000a11, 00000000-0000-0000-0000-000000000b0b,00000000-0000-0000-0000-000000000A11'
param senders = '00000000-0000-0000-0000-000000000c1d'
param emails = 'soc@example.com, SOC@example.com'
