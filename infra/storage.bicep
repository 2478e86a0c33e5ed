// Where the Functions host keeps its own state and the deployed package, and the queues that wake it. The router's is in the database.
param name string
param location string
param tags { *: string }

@description('Zone-redundant by default: without it nothing runs. Standard_LRS where a region has no zones.')
param redundancy string

@description('Whether the network is closed but for private endpoints.')
param private bool

var lanes = ['cwpp-page', 'cwpp-ticket', 'cwpp-rows', 'cspm-ticket', 'cspm-rows']

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

// Where the deployed package lies: function-app.bicep says so, too. The host makes containers of its own.
resource deployments 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'deployments'
  properties: { publicAccess: 'None' }
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' = {
  parent: account
  dependsOn: [deployments]
  name: 'default'
}

// One at a time, here and below: an account refuses a change while another is at work on it.
@batchSize(1)
resource wakeUps 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [
  for lane in lanes: {
    parent: queueService
    name: lane
  }
]

// Where the host puts a wake-up whose function died too often. A lost one changes nothing: the sweep wakes each lane anew.
@batchSize(1)
resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [
  for lane in lanes: {
    parent: queueService
    dependsOn: [wakeUps]
    name: '${lane}-poison'
  }
]
