// The router at work: function_app.py on Flex Consumption. docs/operations.md says what each setting is for.
param name string
param planName string
param location string
param tags object

@description('Instances that always wait for alerts and for pages each; 0 turns it off.')
param alwaysReady int

@description('Zone-redundant where the storage is.')
param zoneRedundant bool

param identityId string
param identityClientId string
param storageBlob string
param storageQueue string
param storageTable string
param deployments string
param eventHubsHost string
param vaultName string
param applicationInsightsConnection string

@description('The subnet that the app reaches out from; empty for none.')
param subnetId string

// The names that the rules call {secret: NAME}, made from rules/ by infra/generate.py: a new one needs no Bicep.
var secrets = loadJsonContent('generated/secrets.json')

// A page must not wait for a cold start: neither the alert that it begins with nor the pointer that it ends with. Two instances
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
  { name: 'AzureWebJobsStorage__blobServiceUri', value: storageBlob }
  { name: 'AzureWebJobsStorage__queueServiceUri', value: storageQueue }
  { name: 'AzureWebJobsStorage__tableServiceUri', value: storageTable }
  { name: 'AzureWebJobsStorage__credential', value: 'managedidentity' }
  { name: 'AzureWebJobsStorage__clientId', value: identityClientId }
  { name: 'EVENT_HUBS__fullyQualifiedNamespace', value: eventHubsHost }
  { name: 'EVENT_HUBS__credential', value: 'managedidentity' }
  { name: 'EVENT_HUBS__clientId', value: identityClientId }
  { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: applicationInsightsConnection }
  { name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING', value: 'ClientId=${identityClientId};Authorization=AAD' }
  // The worker's own metrics and traces, on which alerts.bicep lives. It reads the two settings above as the host does.
  { name: 'PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY', value: 'true' }
  // Only what the router itself tells: spans of clients bear whole addresses, and a webhook's may be a secret; and each message
  // makes a dozen requests to storage, each of which would be a row.
  { name: 'OTEL_PYTHON_DISABLED_INSTRUMENTATIONS', value: 'azure_sdk,django,fastapi,flask,httpx,httpx2,psycopg2,requests,urllib,urllib3' }
]

// A vault's names have hyphens where settings have underscores. Without a version the newest is taken, within a day.
// https://learn.microsoft.com/azure/app-service/app-service-key-vault-references
var references = [for secret in secrets: {
  name: secret
  value: '@Microsoft.KeyVault(VaultName=${vaultName};SecretName=${replace(toLower(secret), '_', '-')})'
}]

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true, zoneRedundant: zoneRedundant }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  // azd finds by this tag where to deploy the service of azure.yaml to.
  tags: union(tags, { 'azd-service-name': 'router' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    // Without it references would be read by the system-assigned identity, which there is not.
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      runtime: { name: 'python', version: '3.13' }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deployments
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        // The lowest that Flex knows: what limits the router is its partitions and what destinations can bear.
        maximumInstanceCount: 40
        alwaysReady: alwaysReady == 0 ? [] : ready
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      appSettings: concat(settings, references)
    }
  }
}

output id string = app.id
output name string = app.name
output host string = app.properties.defaultHostName
