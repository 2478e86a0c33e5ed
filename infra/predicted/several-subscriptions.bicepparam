using '../main.bicep'

param environmentName = 'test'
param location = 'westeurope'
param defenderPrincipalId = '00000000-0000-0000-0000-00000000defe'
param secretNames = 'none'
// The deployment's own is among them, and one is named twice.
param exportSubscriptions = '00000000-0000-0000-0000-000000000004, 00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000005,00000000-0000-0000-0000-000000000004'
param alertSeverities = ' high , MEDIUM,,high'
param fileIntegrity = true
param fileIntegritySeverity = 1
// More than a burst may raise it to.
param throughputUnits = 6
param maximumInstances = 100
param atATime = 2
// As somebody writes it.
param retention = ' routed = 365,below_floor=30, '
param updateStrategy = 'RollingUpdate'
// A console elsewhere, on the same state.
param consoleUrl = 'https://alerts.contoso.example/console'
// 1,220 connections are less than three quarters of what it has.
param databaseSize = 'Standard_D4ds_v5'
param databaseHighAvailability = 'SameZone'
// With zones, where one would become two.
param zoneRedundant = true
param alwaysReady = 0
