// What Azure says of each resource, in the workspace: also where the router itself says nothing any more.
param workspaceId string
param functionAppName string
param eventHubsName string
param storageName string
param databaseServerName string
param vaultName string

@description('Whether every request to storage is logged: a row for each look into a queue.')
param storageLogs bool

@description('Whether the host\'s logs are written here, too: Application Insights has them.')
param appLogs bool

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: functionAppName
}

resource namespace 'Microsoft.EventHub/namespaces@2026-01-01' existing = {
  name: eventHubsName
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: account
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' existing = {
  parent: account
  name: 'default'
}

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' existing = {
  name: databaseServerName
}

var everything = [{ categoryGroup: 'allLogs', enabled: true }]
var metrics = [{ category: 'AllMetrics', enabled: true }]
var storageMetrics = [{ category: 'Transaction', enabled: true }]
var ofHost = [{ categoryGroup: 'allLogs', enabled: appLogs }]
var requests = [{ categoryGroup: 'allLogs', enabled: storageLogs }]

resource ofApp 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: app
  name: 'alert-router'
  properties: { workspaceId: workspaceId, logs: ofHost, metrics: metrics }
}

resource ofHubs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: namespace
  name: 'alert-router'
  properties: { workspaceId: workspaceId, logs: everything, metrics: metrics }
}

resource ofVault 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'alert-router'
  properties: { workspaceId: workspaceId, logs: everything, metrics: metrics }
}

resource ofAccount 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: account
  name: 'alert-router'
  properties: { workspaceId: workspaceId, metrics: storageMetrics }
}

resource ofBlobs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'alert-router'
  properties: { workspaceId: workspaceId, logs: requests, metrics: storageMetrics }
}

resource ofQueues 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: queues
  name: 'alert-router'
  properties: { workspaceId: workspaceId, logs: requests, metrics: storageMetrics }
}

// The server's own words, and not what it counts of queries and sessions: alerts.bicep lives on the metrics.
resource ofServer 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: server
  name: 'alert-router'
  properties: { workspaceId: workspaceId, logs: [{ category: 'PostgreSQLLogs', enabled: true }], metrics: metrics }
}
