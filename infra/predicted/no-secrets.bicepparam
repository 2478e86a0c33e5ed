using '../main.bicep'

param environmentName = 'test'
param location = 'westeurope'
param defenderPrincipalId = '00000000-0000-0000-0000-00000000defe'
param secretNames = 'none'
