// The export of another subscription of the same tenant. main.bicep deploys it for each that it is told of; one more can be
// added by itself:
//
//   az deployment sub create --subscription OTHER --location REGION --template-file infra/export-subscription.bicep \
//     --parameters environmentName=NAME cwppHubId=... cspmHubId=...
//
// An export lives in the subscription whose messages it sends, and so in a resource group there.
targetScope = 'subscription'

import { severitiesOf, wrongSeverities } from 'choices.bicep'

@description('The name that the router was given: one subscription may be exported to several routers.')
@minLength(1)
@maxLength(20)
param environmentName string

@description('Where the exports are kept.')
param location string = deployment().location

@description('Resource ids of the two hubs: outputs CWPP_HUB_ID and CSPM_HUB_ID of main.bicep.')
param cwppHubId string
param cspmHubId string

@description('Severities of alerts that are exported, separated by commas: High,Medium,Low,Informational. Empty for all.')
param alertSeverities string = ''

var faults = wrongSeverities('alertSeverities', alertSeverities)
var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: empty(faults) ? 'rg-alert-router-export-${environmentName}' : fail(join(faults, '; '))
  location: location
  tags: tags
}

module export 'export.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    cwppHubId: cwppHubId
    cspmHubId: cspmHubId
    severities: severitiesOf(alertSeverities)
  }
}
