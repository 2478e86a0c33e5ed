using '../main.bicep'

param environmentName = 'test'
param location = 'westeurope'
param defenderPrincipalId = '00000000-0000-0000-0000-00000000defe'
param secretNames = 'PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD,SERVICENOW_POSTURE_PASSWORD'
// More than a burst may raise it to.
param throughputUnits = 6
param maximumInstances = 100
param atATime = 2
// As somebody writes it.
param retention = ' routed = 365,below_floor=30, '
param updateStrategy = 'RollingUpdate'
param firstDeployed = '2026-11-24T12:00:00Z'
