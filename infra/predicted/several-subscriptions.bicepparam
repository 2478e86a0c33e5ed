using '../main.bicep'

param environmentName = 'test'
param location = 'westeurope'
param defenderPrincipalId = '00000000-0000-0000-0000-00000000defe'
param secretNames = 'PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD,SERVICENOW_POSTURE_PASSWORD'
// The deployment's own is among them, and one is named twice.
param exportSubscriptions = '00000000-0000-0000-0000-000000000004, 00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000005,00000000-0000-0000-0000-000000000004'
param alertSeverities = 'High'
