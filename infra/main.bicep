// The whole of the alert router in one subscription: `azd up`. docs/deploy.md says what each parameter does and costs.
targetScope = 'subscription'

@description('Names everything, and sets it apart from another router in the same subscription.')
@minLength(1)
@maxLength(20)
param environmentName string

@description('A region that has Flex Consumption: az functionapp list-flexconsumption-locations.')
param location string

// azd looks it up before it asks (azure.yaml): az ad sp show --id 8edd93e1-2103-40b4-bd70-6e34e586362d --query id
@description('Object id, in this tenant, of Windows Azure Security Resource Provider: Defender for Cloud, which the hubs let in.')
@minLength(36)
param defenderPrincipalId string

// Read from rules/ by every way in: infra/required.py for azd, infra/parameters.py for az.
@description('Names of the secrets that the rules name, separated by commas, or none. Never empty: that would take them all away.')
@minLength(1)
param secretNames string

@description('Severities of alerts that are exported, separated by commas: High,Medium,Low,Informational. Empty for all.')
param alertSeverities string = ''

@description('Resource id of a Log Analytics workspace that is there already; empty to make one.')
param existingWorkspaceId string = ''

@description('Whether Microsoft Sentinel is on that workspace; on one that is made here it is turned on. It has a price of its own.')
param sentinel bool = false

@description('Object ids of those who put secrets into the vault and look after dead letters, separated by commas.')
param operators string = ''

@description('Object ids of those who may publish messages with alert-router send, separated by commas.')
param senders string = ''

@description('Addresses that are told when the router needs somebody, separated by commas.')
param emails string = ''

@description('Instances that always wait for alerts and for pages each. 0 saves their price, and a page waits for a cold start.')
@minValue(0)
param alwaysReady int = 1

@description('Partitions of each hub; Standard cannot change them later.')
param partitions int = 4

@description('Standard_ZRS, or Standard_LRS where the region has no zones.')
param storageRedundancy string = 'Standard_ZRS'

@description('Whether the plan spreads over zones. It takes two always-ready instances where one would do.')
param zoneRedundant bool = false

@description('Whether storage, hubs and vault are closed but for private endpoints in a network that is made for them.')
param private bool = false

@description('Ranges of addresses in that network: of the app, and of the services.')
param appAddresses string = '10.80.0.0/26'
param serviceAddresses string = '10.80.0.64/26'

@description('Days for which rows in a workspace that is made here can be queried.')
param retentionDays int = 90

@description('Whether every request to storage is logged: a row for each, and each message makes several.')
param storageLogs bool = false

var token = uniqueString(subscription().id, environmentName, location)
var groupName = 'rg-alert-router-${environmentName}'
var tags = { 'azd-env-name': environmentName }
var operatorIds = empty(operators) ? [] : split(operators, ',')
var senderIds = empty(senders) ? [] : split(senders, ',')
var severities = empty(alertSeverities) ? [] : split(alertSeverities, ',')
var emailReceivers = empty(emails) ? [] : split(emails, ',')

// A workspace that is there already may be another group's, even another subscription's.
var ownWorkspace = empty(existingWorkspaceId)
var workspaceName = ownWorkspace ? 'log-${token}' : last(split(existingWorkspaceId, '/'))
var workspaceSubscription = ownWorkspace ? subscription().subscriptionId : split(existingWorkspaceId, '/')[2]
var workspaceGroup = ownWorkspace ? groupName : split(existingWorkspaceId, '/')[4]

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: tags
}

module identity 'identity.bicep' = {
  scope: group
  name: 'identity'
  params: { name: 'id-${token}', location: location, tags: tags }
}

module network 'network.bicep' = if (private) {
  scope: group
  name: 'network'
  params: {
    name: 'vnet-${token}'
    location: location
    tags: tags
    appAddresses: appAddresses
    serviceAddresses: serviceAddresses
  }
}

module eventHubs 'event-hubs.bicep' = {
  scope: group
  name: 'event-hubs'
  params: {
    name: 'evhns-${token}'
    location: location
    tags: tags
    private: private
    appSubnetId: private ? network.outputs.appSubnetId : ''
    partitions: partitions
  }
}

module storage 'storage.bicep' = {
  scope: group
  name: 'storage'
  params: { name: 'st${token}', location: location, tags: tags, redundancy: storageRedundancy, private: private }
}

module keyVault 'key-vault.bicep' = {
  scope: group
  name: 'key-vault'
  params: { name: 'kv-${token}', location: location, tags: tags, private: private }
}

module logAnalytics 'log-analytics.bicep' = if (ownWorkspace) {
  scope: group
  name: 'log-analytics'
  params: { name: workspaceName, location: location, tags: tags, retentionDays: retentionDays }
}

module sentinelOn 'sentinel.bicep' = if (sentinel && ownWorkspace) {
  scope: group
  name: 'sentinel'
  dependsOn: [logAnalytics]
  params: { workspaceName: workspaceName }
}

module logTables 'log-tables.bicep' = {
  scope: resourceGroup(workspaceSubscription, workspaceGroup)
  name: 'alert-router-tables-${token}'
  dependsOn: [logAnalytics, sentinelOn]
  params: { workspaceName: workspaceName, sentinel: sentinel }
}

module logRules 'log-rules.bicep' = {
  scope: group
  name: 'log-rules'
  params: {
    name: 'dcr-${token}'
    location: logTables.outputs.location
    tags: tags
    workspaceId: logTables.outputs.workspaceId
    alertsTable: logTables.outputs.alertsTable
  }
}

module applicationInsights 'application-insights.bicep' = {
  scope: group
  name: 'application-insights'
  params: { name: 'appi-${token}', location: location, tags: tags, workspaceId: logTables.outputs.workspaceId }
}

// Before the app: it reads its secrets and its storage as soon as it is there.
module roles 'roles.bicep' = {
  scope: group
  name: 'roles'
  params: {
    principalId: identity.outputs.principalId
    eventHubsName: eventHubs.outputs.name
    hubs: eventHubs.outputs.hubs
    storageName: storage.outputs.name
    vaultName: keyVault.outputs.name
    applicationInsightsName: applicationInsights.outputs.name
    ruleNames: logRules.outputs.names
  }
}

module functionApp 'function-app.bicep' = {
  scope: group
  name: 'function-app'
  dependsOn: [roles, privateEndpoints]
  params: {
    name: 'func-${token}'
    planName: 'plan-${token}'
    location: location
    tags: tags
    alwaysReady: alwaysReady
    zoneRedundant: zoneRedundant
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageBlob: storage.outputs.blob
    storageQueue: storage.outputs.queue
    storageTable: storage.outputs.table
    deployments: storage.outputs.deployments
    eventHubsHost: eventHubs.outputs.host
    vaultName: keyVault.outputs.name
    applicationInsightsConnection: applicationInsights.outputs.connectionString
    subnetId: private ? network.outputs.appSubnetId : ''
  }
}

module privateEndpoints 'private-endpoints.bicep' = if (private) {
  scope: group
  name: 'private-endpoints'
  params: {
    location: location
    tags: tags
    networkId: network.outputs.id
    subnetId: network.outputs.servicesSubnetId
    storageId: storage.outputs.id
    eventHubsId: eventHubs.outputs.id
    vaultId: keyVault.outputs.id
  }
}

module people 'people.bicep' = {
  scope: group
  name: 'people'
  params: {
    eventHubsName: eventHubs.outputs.name
    hubs: eventHubs.outputs.hubs
    storageName: storage.outputs.name
    vaultName: keyVault.outputs.name
    operators: operatorIds
    senders: senderIds
  }
}

module continuousExport 'export.bicep' = {
  scope: group
  name: 'export'
  params: {
    location: location
    tags: tags
    eventHubsName: eventHubs.outputs.name
    hubs: eventHubs.outputs.hubs
    defenderPrincipalId: defenderPrincipalId
    severities: severities
  }
}

module diagnostics 'diagnostics.bicep' = {
  scope: group
  name: 'diagnostics'
  params: {
    workspaceId: logTables.outputs.workspaceId
    functionAppName: functionApp.outputs.name
    eventHubsName: eventHubs.outputs.name
    storageName: storage.outputs.name
    vaultName: keyVault.outputs.name
    storageLogs: storageLogs
  }
}

module workbook 'workbook.bicep' = {
  scope: group
  name: 'workbook'
  params: {
    location: location
    workspaceId: logTables.outputs.workspaceId
    applicationInsightsId: applicationInsights.outputs.id
    eventHubNamespaceId: eventHubs.outputs.id
    storageAccountId: storage.outputs.id
    functionAppId: functionApp.outputs.id
    tags: tags
  }
}

module alerts 'alerts.bicep' = {
  scope: group
  name: 'alerts'
  params: {
    location: logTables.outputs.location
    workspaceId: logTables.outputs.workspaceId
    applicationInsightsId: applicationInsights.outputs.id
    eventHubNamespaceId: eventHubs.outputs.id
    storageAccountId: storage.outputs.id
    functionAppId: functionApp.outputs.id
    tags: tags
    emailReceivers: emailReceivers
  }
}

// azd keeps outputs in its environment, from where its own commands, hooks and `azd env get-values` read them.
output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = subscription().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = functionApp.outputs.name
output HEALTH_URL string = 'https://${functionApp.outputs.host}/api/health'
output KEY_VAULT_NAME string = keyVault.outputs.name
output EVENT_HUBS_NAMESPACE string = eventHubs.outputs.host
output CWPP_HUB_ID string = '${eventHubs.outputs.id}/eventhubs/cwpp'
output CSPM_HUB_ID string = '${eventHubs.outputs.id}/eventhubs/cspm'
output STORAGE_ACCOUNT string = storage.outputs.name
output WORKSPACE_ID string = logTables.outputs.workspaceId
output ALERTS_TABLE string = logTables.outputs.alertsTable

// What destinations of kind log_analytics need: `endpoint` and `rule`, for each stream.
output CWPP_LOGS_ENDPOINT string = logRules.outputs.cwppEndpoint
output CWPP_LOGS_RULE string = logRules.outputs.cwppRule
output CSPM_LOGS_ENDPOINT string = logRules.outputs.cspmEndpoint
output CSPM_LOGS_RULE string = logRules.outputs.cspmRule
