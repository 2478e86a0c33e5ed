// Where the router keeps what it owes, and the Functions host its own state. Nothing else is in this account.
param name string
param location string
param tags { *: string }

@description('Zone-redundant by default: what is owed must survive a data centre. Standard_LRS where a region has no zones.')
param redundancy string

@description('Whether the network is closed but for private endpoints.')
param private bool

// The router makes what is missing when it starts. It is made here too, so that nothing is missing before that.
var tables = ['ledger', 'held', 'deliveries', 'record', 'quarantine', 'journal', 'groups', 'lookups', 'documents']
var lanes = ['cwpp-page', 'cwpp-ticket', 'cwpp-rows', 'cspm-ticket', 'cspm-rows']

// The deployed package lies in deployments: function-app.bicep says so, too.
var containers = ['bodies', 'checkpoints', 'deployments']

// Days for which a deleted blob comes back.
var regret = 7

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: redundancy }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: { bypass: 'AzureServices', defaultAction: private ? 'Deny' : 'Allow' }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: regret }
    containerDeleteRetentionPolicy: { enabled: true, days: regret }
  }
}

// One at a time, here and below: an account refuses a change while another is at work on it.
@batchSize(1)
resource containersOf 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [
  for container in containers: {
    parent: blobs
    name: container
    properties: { publicAccess: 'None' }
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' = {
  parent: account
  dependsOn: [containersOf]
  name: 'default'
}

@batchSize(1)
resource pointers 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [
  for lane in lanes: {
    parent: queueService
    name: lane
  }
]

// Where the platform puts a pointer that was fetched too often; the sweep brings it back.
@batchSize(1)
resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [
  for lane in lanes: {
    parent: queueService
    dependsOn: [pointers]
    name: '${lane}-poison'
  }
]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-01-01' = {
  parent: account
  dependsOn: [poison]
  name: 'default'
}

@batchSize(1)
resource tablesOf 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' = [
  for table in tables: {
    parent: tableService
    name: table
  }
]
