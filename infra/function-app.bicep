// The router at work: function_app.py on Flex Consumption. docs/operations.md says what each setting is for.
param name string
param planName string
param location string
param tags { *: string }

@description('Instances that always wait for alerts and for pages each; 0 turns it off.')
param alwaysReady int

@description('Zone-redundant where the storage is.')
param zoneRedundant bool

@description('Instances that each function may have at most; Flex Consumption knows no fewer than 40.')
param maximumInstances int

@description('Calls at a time that one instance makes to one destination.')
param atATime int

@description('Days for which decisions stay on record, by outcome.')
param retention string

@description('How a new version takes the place of the old.')
param updateStrategy 'Recreate' | 'RollingUpdate'

@description('The names that the rules call {secret: NAME}.')
param secrets string[]

@description('Whether people sign in to the console here: sign-in.bicep.')
param hasConsole bool

@description('Where people reach the console, which may be elsewhere.')
param consoleUrl string

param identityName string
param storageName string
param databaseServerName string
param databaseName string
param eventHubsName string
param vaultName string
param applicationInsightsName string

@description('The data collection rules are called this, a hyphen and the stream.')
param rulesName string

@description('The subnet that the app reaches out from, where there is one.')
param subnetId string?

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' existing = {
  name: databaseServerName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource cwppRule 'Microsoft.Insights/dataCollectionRules@2024-03-11' existing = {
  name: '${rulesName}-cwpp'
}

resource cspmRule 'Microsoft.Insights/dataCollectionRules@2024-03-11' existing = {
  name: '${rulesName}-cspm'
}

// A page must not wait for a cold start: neither the alert that it begins with nor the wake-up that it ends with. Two instances
// of 2 GB are 10,368,000 GB-seconds of always-ready baseline in 30 days, and there is no free grant beside it; alwaysReady 0
// turns it off. Prices: https://azure.microsoft.com/pricing/details/functions/
// Microsoft wants two instances of each where the plan is zone-redundant.
// https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan#always-ready-instances
var instances = zoneRedundant && alwaysReady == 1 ? 2 : alwaysReady
var ready = [
  { name: 'function:take_cwpp', instanceCount: instances }
  { name: 'function:deliver_cwpp_page', instanceCount: instances }
]

// What Flex Consumption takes from functionAppConfig stands there only, and it refuses the settings of old:
// https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-considerations
var settings = [
  { name: 'AzureWebJobsStorage__blobServiceUri', value: account.properties.primaryEndpoints.blob }
  { name: 'AzureWebJobsStorage__queueServiceUri', value: account.properties.primaryEndpoints.queue }
  { name: 'AzureWebJobsStorage__credential', value: 'managedidentity' }
  { name: 'AzureWebJobsStorage__clientId', value: identity.properties.clientId }
  // Without a password: the identity's token is one, and the role on the server is called like the identity.
  {
    name: 'ALERT_ROUTER_STATE'
    value: 'postgresql://${identityName}@${server.properties.fullyQualifiedDomainName}:5432/${databaseName}'
  }
  { name: 'EVENT_HUBS__fullyQualifiedNamespace', value: '${eventHubsName}.servicebus.windows.net' }
  { name: 'EVENT_HUBS__credential', value: 'managedidentity' }
  { name: 'EVENT_HUBS__clientId', value: identity.properties.clientId }
  // Where rows go: what the rules call {setting: NAME}.
  { name: 'CWPP_LOGS_ENDPOINT', value: cwppRule.properties.endpoints.logsIngestion }
  { name: 'CWPP_LOGS_RULE', value: cwppRule.properties.immutableId }
  { name: 'CSPM_LOGS_ENDPOINT', value: cspmRule.properties.endpoints.logsIngestion }
  { name: 'CSPM_LOGS_RULE', value: cspmRule.properties.immutableId }
  { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: component.properties.ConnectionString }
  {
    name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
    value: 'ClientId=${identity.properties.clientId};Authorization=AAD'
  }
  // The worker's own metrics and traces, on which alerts.bicep lives. It reads the two settings above as the host does.
  { name: 'PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY', value: 'true' }
  // Only what the router itself tells: spans of clients bear whole addresses, and a webhook's may be a secret.
  {
    name: 'OTEL_PYTHON_DISABLED_INSTRUMENTATIONS'
    value: 'azure_sdk,django,fastapi,flask,httpx,httpx2,psycopg2,requests,urllib,urllib3'
  }
]

// The code's own choice stands in the code.
var bound = atATime == 6 ? [] : [{ name: 'ALERT_ROUTER_AT_A_TIME', value: string(atATime) }]
var aging = empty(retention) ? [] : [{ name: 'ALERT_ROUTER_RETENTION', value: retention }]
var links = empty(consoleUrl) ? [] : [{ name: 'ALERT_ROUTER_CONSOLE_URL', value: consoleUrl }]

// Only where Azure signs people in: without these two the console lets nobody in, whatever a request says of its sender.
var console = !hasConsole
  ? []
  : [
      { name: 'ALERT_ROUTER_CONSOLE_TENANT', value: tenant().tenantId }
      {
        name: 'ALERT_ROUTER_CONSOLE_ROLES'
        value: join(map(loadJsonContent('console-roles.json'), role => '${role.displayName}=${role.value}'), ', ')
      }
      { name: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID', value: identity.properties.clientId }
    ]

// A vault's names have hyphens where settings have underscores. Without a version the newest is taken, within a day.
// https://learn.microsoft.com/azure/app-service/app-service-key-vault-references
var references = [
  for secret in secrets: {
    name: secret
    value: '@Microsoft.KeyVault(VaultName=${vaultName};SecretName=${replace(toLower(secret), '_', '-')})'
  }
]

// Azure's page knows it from 2024-11-01 on, its published types do not: so only who asks for it is given what nobody checked.
// https://learn.microsoft.com/azure/azure-functions/flex-consumption-site-updates
var rolling = updateStrategy == 'Recreate' ? {} : { siteUpdateStrategy: { type: updateStrategy } }

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true, zoneRedundant: zoneRedundant }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  // azd finds by this tag where to deploy the service of azure.yaml to.
  tags: union(tags, { 'azd-service-name': 'router' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    // Without it references would be read by the system-assigned identity, which there is not.
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: subnetId
    #disable-next-line BCP037
    functionAppConfig: {
      runtime: { name: 'python', version: '3.13' }
      ...rolling
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${account.properties.primaryEndpoints.blob}deployments'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: maximumInstances
        alwaysReady: alwaysReady == 0 ? [] : ready
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      appSettings: concat(settings, bound, aging, console, links, references)
    }
  }
}

output host string = app.properties.defaultHostName
