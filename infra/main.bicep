// The whole of the alert router in one subscription: `azd up`. docs/deploy.md says what each parameter does and costs.
targetScope = 'subscription'

import {
  connectionsOf
  databaseSizes
  instantOf
  lowerItems
  namesOf
  retentionOf
  severitiesOf
  wrongActionGroup
  wrongAddresses
  wrongConsole
  wrongDatabase
  wrongIds
  wrongInstant
  wrongNames
  wrongRetention
  wrongSeverities
  wrongWorkspace
} from 'choices.bicep'

@description('Names everything, and sets it apart from another router in the same subscription.')
@minLength(1)
@maxLength(20)
param environmentName string

@description('A region that has Flex Consumption: az functionapp list-flexconsumption-locations.')
param location string

// infra/hooks/before.py looks it up before azd asks: az ad sp show --id 8edd93e1-2103-40b4-bd70-6e34e586362d --query id
@description('Object id, in this tenant, of Windows Azure Security Resource Provider: Defender for Cloud, which the hubs let in.')
@minLength(36)
param defenderPrincipalId string

// Without a default: the rules are the user's, and what a build once read of them would take the secrets away from an app that has
// others. Every way in reads them anew: infra/required.py for azd, infra/parameters.py for az.
@description('Names of the secrets that the rules call, separated by commas: PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD. none where they call none.')
@minLength(1)
param secretNames string

@description('Subscriptions whose alerts and posture are exported beside those of the deployment\'s own, separated by commas.')
param exportSubscriptions string = ''

@description('Severities of alerts that are exported, separated by commas: High,Medium,Low,Informational. Empty for all.')
param alertSeverities string = ''

@description('Resource id of a Log Analytics workspace that is there already; empty to make one.')
param existingWorkspaceId string = ''

@description('Whether Microsoft Sentinel is on that workspace; on one that is made here it is turned on. It has a price of its own.')
param sentinel bool = false

@description('Whether a file or registry key that changed is an alert: a rule on what Defender for Servers writes of them.')
param fileIntegrity bool = false

@description('Resource id of the workspace into which it writes them; empty for the workspace of the router.')
param fileIntegrityWorkspaceId string = ''

@description('Severity of such an alert in Azure Monitor: 0 and 1 are High to the router, 2 Medium, 3 Low, 4 Informational.')
@minValue(0)
@maxValue(4)
param fileIntegritySeverity int = 2

@description('Object ids of those who put secrets into the vault, separated by commas.')
param operators string = ''

@description('Object ids of those who may publish messages with alert-router send, separated by commas.')
param senders string = ''

@description('Addresses that are told when the router needs somebody, separated by commas.')
param emails string = ''

@description('Resource id of an action group that is there already, and that alerts of severity 1 are told to as well: a pager that does not need the router.')
param pagerActionGroupId string = ''

@description('Application (client) id of the app registration by which people sign in to the console; empty for no console in Azure.')
param consoleClientId string = ''

@description('Where people reach the console; empty for the address that Azure gives it, where it is on.')
param consoleUrl string = ''

@description('Instances that always wait for alerts and for pages each. 0 saves their price, and a page waits for a cold start.')
@minValue(0)
@maxValue(1000)
param alwaysReady int = 1

@description('Instances that each function may have at most. A group of functions that scale together counts as one.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

@description('Calls at a time that one instance makes to one destination. 6 is what the router chooses by itself.')
@minValue(1)
@maxValue(6)
param atATime int = 6

@description('Days for which decisions stay on record, by outcome: below_floor=30,routed=365. Empty for what the router chooses by itself.')
param retention string = ''

@description('How a new version takes the place of the old: Recreate ends what works at once, RollingUpdate (a preview) one by one.')
@allowed(['Recreate', 'RollingUpdate'])
param updateStrategy string = 'Recreate'

@description('Partitions of each hub; Standard cannot change them later.')
@minValue(1)
@maxValue(32)
param partitions int = 4

@description('Throughput units of the hubs, of 1 MB or 1,000 events a second each: each deployment sets them to this.')
@minValue(1)
@maxValue(40)
param throughputUnits int = 1

@description('Throughput units that a burst may raise them to.')
@minValue(1)
@maxValue(40)
param maximumThroughputUnits int = 4

@description('Size of the server that keeps the state: one of database-sizes.json. Standard_B2s is a trial; production takes a size of Standard_D.')
param databaseSize string = 'Standard_B2s'

@description('A second server that stands by: in another zone, in the same one, or none. A size of Standard_B has none.')
@allowed(['Disabled', 'SameZone', 'ZoneRedundant'])
param databaseHighAvailability string = 'Disabled'

@description('GiB of the state that the server begins with. Azure adds what it needs: set it to what it stands at then, since nothing is taken back.')
@allowed([32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384])
param databaseStorageGB int = 32

@description('Days of which each moment of the state can be restored.')
@minValue(7)
@maxValue(35)
param databaseBackupDays int = 7

@description('Major version of PostgreSQL.')
@allowed(['17', '18'])
param databaseVersion string = '18'

@description('Standard_ZRS, or Standard_LRS where the region has no zones.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param storageRedundancy string = 'Standard_ZRS'

@description('Whether the plan spreads over zones. It takes two always-ready instances where one would do.')
param zoneRedundant bool = false

@description('Whether storage, database, hubs and vault are closed but for private endpoints in a network that is made for them.')
param private bool = false

@description('Range of addresses in that network: of the app.')
param appAddresses string = '10.80.0.0/26'

@description('Range of addresses in that network: of the services.')
param serviceAddresses string = '10.80.0.64/26'

@description('Days for which rows in a workspace that is made here can be queried.')
@minValue(30)
@maxValue(730)
param retentionDays int = 90

@description('Whether every request to storage is logged: a row for each look into a queue.')
param storageLogs bool = false

@description('Whether the host\'s logs are written a second time, as logs of the resource beside those in Application Insights.')
param appLogs bool = false

@description('Address of a released package; empty where azd deploys the code.')
param packageUri string = ''

// Not utcNow(): a later deployment would make the alarms quiet again. infra/required.py sets it once.
@description('When it was deployed for the first time, as 2026-01-31T23:59:59Z: what cannot be heard of yet raises no alarm for an hour from then, nor for 48 a silent export. Empty or none for alarms from the start.')
param firstDeployed string = ''

var operatorIds = lowerItems(operators)
var senderIds = lowerItems(senders)
var addresses = lowerItems(emails)
var defenderId = toLower(trim(defenderPrincipalId))
var workspaceId = trim(existingWorkspaceId)
var watchedWorkspaceId = trim(fileIntegrityWorkspaceId)
var pagerId = trim(pagerActionGroupId)
var clientId = toLower(trim(consoleClientId))

// The deployment's own subscription is always exported: naming it changes nothing.
var subscriptions = filter(lowerItems(exportSubscriptions), id => id != toLower(subscription().subscriptionId))

var faults = concat(
  wrongIds('defenderPrincipalId', [defenderId]),
  wrongNames('secretNames', secretNames),
  wrongIds('exportSubscriptions', subscriptions),
  wrongSeverities('alertSeverities', alertSeverities),
  wrongWorkspace('existingWorkspaceId', workspaceId),
  wrongWorkspace('fileIntegrityWorkspaceId', watchedWorkspaceId),
  wrongIds('operators', operatorIds),
  wrongIds('senders', senderIds),
  wrongAddresses('emails', addresses),
  wrongActionGroup('pagerActionGroupId', pagerId),
  wrongIds('consoleClientId', empty(clientId) ? [] : [clientId]),
  wrongConsole('consoleUrl', consoleUrl),
  wrongDatabase(databaseSize, databaseHighAvailability, connectionsOf(maximumInstances, partitions, updateStrategy)),
  wrongRetention('retention', retention),
  wrongInstant('firstDeployed', firstDeployed)
)

// A name is evaluated before anything is made, and so a wrong list stops the deployment here.
var groupName = empty(faults) ? 'rg-alert-router-${environmentName}' : fail(join(faults, '; '))

var token = uniqueString(subscription().id, environmentName, location)
var tags = { 'azd-env-name': environmentName }
var streams = ['cwpp', 'cspm']
var databaseName = 'router'

// Modules are given names, never another module's outputs: what a preview cannot evaluate it leaves out.
var names = {
  identity: 'id-${token}'
  network: 'vnet-${token}'
  eventHubs: 'evhns-${token}'
  storage: 'st${token}'
  database: 'psql-${token}'
  vault: 'kv-${token}'
  workspace: ownWorkspace ? 'log-${token}' : last(workspacePath)
  rules: 'dcr-${token}'
  applicationInsights: 'appi-${token}'
  plan: 'plan-${token}'
  app: 'func-${token}'
}

// A workspace that is there already may be another group's, even another subscription's.
var ownWorkspace = empty(workspaceId)
var workspacePath = split(workspaceId, '/')
var workspaceSubscription = ownWorkspace ? subscription().subscriptionId : workspacePath[2]
var workspaceGroup = ownWorkspace ? groupName : workspacePath[4]

// Without Sentinel the rows of alerts go to a table of the same columns. A custom table's name ends in _CL.
var alertsTable = sentinel ? 'ASimAlertEventLogs' : 'DefenderAlerts_CL'

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: tags
}

// Looked up only where it is there already: what this deployment makes cannot be asked for anything before it is made.
resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = if (!ownWorkspace) {
  scope: resourceGroup(workspaceSubscription, workspaceGroup)
  name: names.workspace
}

// Rows can only be sent from the region of the workspace.
var workspaceLocation = ownWorkspace ? location : workspace!.location

var ids = {
  workspace: resourceId(
    workspaceSubscription,
    workspaceGroup,
    'Microsoft.OperationalInsights/workspaces',
    names.workspace
  )
  applicationInsights: resourceId(
    subscription().subscriptionId,
    groupName,
    'Microsoft.Insights/components',
    names.applicationInsights
  )
  eventHubs: resourceId(subscription().subscriptionId, groupName, 'Microsoft.EventHub/namespaces', names.eventHubs)
  storage: resourceId(subscription().subscriptionId, groupName, 'Microsoft.Storage/storageAccounts', names.storage)
  database: resourceId(
    subscription().subscriptionId,
    groupName,
    'Microsoft.DBforPostgreSQL/flexibleServers',
    names.database
  )
  app: resourceId(subscription().subscriptionId, groupName, 'Microsoft.Web/sites', names.app)
}

// A rule lives in the region of the workspace that it searches.
var watchedId = empty(watchedWorkspaceId) ? ids.workspace : watchedWorkspaceId
var watchedPath = split(watchedId, '/')

resource watched 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = if (fileIntegrity && !empty(watchedWorkspaceId)) {
  scope: resourceGroup(watchedPath[2], watchedPath[4])
  name: last(watchedPath)
}

// The app cannot be told what Azure will call it before it is there. In another cloud than the public one consoleUrl says it.
var consoleAddress = !empty(trim(consoleUrl)) || empty(clientId)
  ? trim(consoleUrl)
  : 'https://${names.app}.azurewebsites.net/api/console'

var cwppHubId = '${ids.eventHubs}/eventhubs/cwpp'
var cspmHubId = '${ids.eventHubs}/eventhubs/cspm'
var appSubnetId = private
  ? '${resourceId(subscription().subscriptionId, groupName, 'Microsoft.Network/virtualNetworks', names.network)}/subnets/app'
  : null

module identity 'identity.bicep' = {
  scope: group
  params: { name: names.identity, location: location, tags: tags }
}

module privateNetwork 'network.bicep' = if (private) {
  scope: group
  params: {
    name: names.network
    location: location
    tags: tags
    appAddresses: appAddresses
    serviceAddresses: serviceAddresses
  }
}

module eventHubs 'event-hubs.bicep' = {
  scope: group
  dependsOn: [privateNetwork]
  params: {
    name: names.eventHubs
    location: location
    tags: tags
    hubs: streams
    private: private
    appSubnetId: appSubnetId
    partitions: partitions
    throughputUnits: throughputUnits
    maximumThroughputUnits: maximumThroughputUnits
  }
}

module storage 'storage.bicep' = {
  scope: group
  params: { name: names.storage, location: location, tags: tags, redundancy: storageRedundancy, private: private }
}

module database 'database.bicep' = {
  scope: group
  params: {
    name: names.database
    location: location
    tags: tags
    version: databaseVersion
    size: databaseSize
    highAvailability: databaseHighAvailability
    storageGB: databaseStorageGB
    backupDays: databaseBackupDays
    private: private
    databaseName: databaseName
  }
}

// After the database: until something was made on it a server may not be reached by who makes roles.
// https://github.com/Azure/azure-postgresql/issues/127
// A module of its own, with an output of another: Azure wants the resource named after the principal, which no preview knows.
module databaseAdministrator 'database-administrator.bicep' = {
  scope: group
  dependsOn: [database]
  params: {
    serverName: names.database
    identityName: names.identity
    #disable-next-line what-if-short-circuiting
    principalId: identity.outputs.principalId
  }
}

module keyVault 'key-vault.bicep' = {
  scope: group
  params: { name: names.vault, location: location, tags: tags, private: private }
}

module logAnalytics 'log-analytics.bicep' = if (ownWorkspace) {
  scope: group
  params: { name: names.workspace, location: location, tags: tags, retentionDays: retentionDays }
}

module sentinelOn 'sentinel.bicep' = if (sentinel && ownWorkspace) {
  scope: group
  dependsOn: [logAnalytics]
  params: { workspaceName: names.workspace }
}

module logTables 'log-tables.bicep' = {
  scope: resourceGroup(workspaceSubscription, workspaceGroup)
  dependsOn: [logAnalytics, sentinelOn]
  params: { workspaceName: names.workspace, alertsTable: alertsTable }
}

// After the tables: Azure refuses a rule whose table it does not know (InvalidOutputTable). docs/deploy.md says what to do
// where it does not know one yet that was made a moment ago.
module logRules 'log-rules.bicep' = {
  scope: group
  dependsOn: [logTables]
  params: {
    name: names.rules
    location: workspaceLocation
    tags: tags
    streams: streams
    workspaceId: ids.workspace
    alertsTable: alertsTable
  }
}

module applicationInsights 'application-insights.bicep' = {
  scope: group
  dependsOn: [logAnalytics]
  params: { name: names.applicationInsights, location: location, tags: tags, workspaceId: ids.workspace }
}

// Before the app: it reads its secrets and its storage as soon as it is there.
module roles 'roles.bicep' = {
  scope: group
  dependsOn: [identity, eventHubs, storage, keyVault, applicationInsights, logRules]
  params: {
    identityName: names.identity
    eventHubsName: names.eventHubs
    storageName: names.storage
    vaultName: names.vault
    applicationInsightsName: names.applicationInsights
    ruleNames: map(streams, stream => '${names.rules}-${stream}')
  }
}

module functionApp 'function-app.bicep' = {
  scope: group
  dependsOn: [roles, databaseAdministrator, privateEndpoints]
  params: {
    name: names.app
    planName: names.plan
    location: location
    tags: tags
    alwaysReady: alwaysReady
    zoneRedundant: zoneRedundant
    maximumInstances: maximumInstances
    atATime: atATime
    retention: retentionOf(retention)
    updateStrategy: updateStrategy
    secrets: namesOf(secretNames)
    hasConsole: !empty(clientId)
    consoleUrl: consoleAddress
    identityName: names.identity
    storageName: names.storage
    databaseServerName: names.database
    databaseName: databaseName
    eventHubsName: names.eventHubs
    vaultName: names.vault
    applicationInsightsName: names.applicationInsights
    rulesName: names.rules
    subnetId: appSubnetId
  }
}

module signIn 'sign-in.bicep' = if (!empty(clientId)) {
  scope: group
  dependsOn: [functionApp]
  params: { appName: names.app, clientId: clientId }
}

// Nobody is at the door before it can be locked; and one change to the app at a time.
module package 'package.bicep' = if (!empty(packageUri)) {
  scope: group
  dependsOn: [functionApp, signIn]
  params: { appName: names.app, packageUri: packageUri }
}

module privateEndpoints 'private-endpoints.bicep' = if (private) {
  scope: group
  dependsOn: [privateNetwork, storage, databaseAdministrator, eventHubs, keyVault]
  params: {
    location: location
    tags: tags
    networkName: names.network
    storageName: names.storage
    databaseServerName: names.database
    eventHubsName: names.eventHubs
    vaultName: names.vault
  }
}

module people 'people.bicep' = {
  scope: group
  dependsOn: [eventHubs, keyVault]
  params: {
    eventHubsName: names.eventHubs
    hubs: streams
    vaultName: names.vault
    operators: operatorIds
    senders: senderIds
  }
}

module defender 'defender.bicep' = {
  scope: group
  dependsOn: [eventHubs]
  params: { eventHubsName: names.eventHubs, hubs: streams, principalId: defenderId }
}

module export 'export.bicep' = {
  scope: group
  dependsOn: [defender]
  params: {
    location: location
    tags: tags
    cwppHubId: cwppHubId
    cspmHubId: cspmHubId
    severities: severitiesOf(alertSeverities)
  }
}

module exportElsewhere 'export-subscription.bicep' = [
  for id in subscriptions: {
    scope: subscription(id)
    dependsOn: [defender]
    params: {
      environmentName: environmentName
      location: location
      cwppHubId: cwppHubId
      cspmHubId: cspmHubId
      alertSeverities: alertSeverities
    }
  }
]

module diagnostics 'diagnostics.bicep' = {
  scope: group
  dependsOn: [functionApp, logAnalytics]
  params: {
    workspaceId: ids.workspace
    functionAppName: names.app
    eventHubsName: names.eventHubs
    storageName: names.storage
    databaseServerName: names.database
    vaultName: names.vault
    storageLogs: storageLogs
    appLogs: appLogs
  }
}

module workbook 'workbook.bicep' = {
  scope: group
  dependsOn: [logTables]
  params: {
    location: location
    workspaceId: ids.workspace
    applicationInsightsId: ids.applicationInsights
    eventHubNamespaceId: ids.eventHubs
    storageAccountId: ids.storage
    databaseServerId: ids.database
    functionAppId: ids.app
    tags: tags
  }
}

module alerts 'alerts.bicep' = {
  scope: group
  dependsOn: [logTables]
  params: {
    location: workspaceLocation
    workspaceId: ids.workspace
    applicationInsightsId: ids.applicationInsights
    eventHubNamespaceId: ids.eventHubs
    storageAccountId: ids.storage
    databaseServerId: ids.database
    functionAppId: ids.app
    tags: tags
    databaseConnections: databaseSizes[databaseSize].connections
    isBurstable: databaseSizes[databaseSize].tier == 'Burstable'
    emailReceivers: addresses
    pagerActionGroupId: pagerId
    firstDeployed: instantOf(firstDeployed)
  }
}

module fileIntegrityAlerts 'file-integrity.bicep' = if (fileIntegrity) {
  scope: group
  dependsOn: [eventHubs, logAnalytics]
  params: {
    location: empty(watchedWorkspaceId) ? workspaceLocation : watched!.location
    tags: tags
    workspaceId: watchedId
    severity: fileIntegritySeverity
    eventHubsName: names.eventHubs
    hub: 'cwpp'
  }
}

// azd keeps outputs in its environment, from where its own commands, hooks and `azd env get-values` read them.
output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = subscription().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = names.app
output HEALTH_URL string = 'https://${functionApp.outputs.host}/api/health'
output CONSOLE_URL string = consoleAddress
output KEY_VAULT_NAME string = names.vault
output EVENT_HUBS_NAMESPACE string = '${names.eventHubs}.servicebus.windows.net'
output CWPP_HUB_ID string = cwppHubId
output CSPM_HUB_ID string = cspmHubId
output STORAGE_ACCOUNT string = names.storage
output DATABASE_SERVER string = names.database
output DATABASE_NAME string = databaseName
output WORKSPACE_ID string = ids.workspace
output ALERTS_TABLE string = alertsTable

// Known again where another machine asks Azure (`azd env refresh`), and forgotten with the deployment (`azd down`).
output ROUTER_FIRST_DEPLOYED string = firstDeployed

// What destinations of kind log_analytics need: `endpoint` and `rule`, for each stream. The app has them as settings.
output CWPP_LOGS_ENDPOINT string = logRules.outputs.cwppEndpoint
output CWPP_LOGS_RULE string = logRules.outputs.cwppRule
output CSPM_LOGS_ENDPOINT string = logRules.outputs.cspmEndpoint
output CSPM_LOGS_RULE string = logRules.outputs.cspmRule
