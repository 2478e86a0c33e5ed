// What Defender for Cloud exports into: a hub for each stream, so that neither waits for the other.
param name string
param location string
param tags { *: string }

@description('Whether the network is closed but for private endpoints and trusted Microsoft services.')
param private bool

@description('The subnet of the app, where the network is closed.')
param appSubnetId string?

@description('Partitions of each hub. Standard cannot change them later, and the router takes in one batch of a partition at a time.')
param partitions int

// A weekly snapshot comes as a burst. What Defender does when the hub says that it is busy is not documented, so the
// namespace grows with it, up to the maximum. It never shrinks by itself, but for a deployment, which sets it to this again.
@description('Throughput units of 1 MB or 1,000 events a second that each deployment sets.')
param throughputUnits int

@description('Throughput units that a burst may raise them to.')
param maximumThroughputUnits int

@description('A hub for each stream.')
param hubs string[]

// The most that Standard keeps, and it costs nothing more: storage may be down that long before anything is lost.
// https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
var retentionHours = 7 * 24

// Two readers must never share a group: take is the functions', sweep looks for what they missed, serve is the command's.
var readers = ['take', 'sweep', 'serve']

resource namespace 'Microsoft.EventHub/namespaces@2026-01-01' = {
  name: name
  location: location
  tags: tags
  // Basic has one consumer group and keeps a day.
  sku: { name: 'Standard', tier: 'Standard', capacity: throughputUnits }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    isAutoInflateEnabled: true
    maximumThroughputUnits: max(throughputUnits, maximumThroughputUnits)
    // Disabled would shut Defender out as well: it is a trusted service, and comes by the public address.
    publicNetworkAccess: 'Enabled'
  }
}

resource network 'Microsoft.EventHub/namespaces/networkRuleSets@2026-01-01' = {
  parent: namespace
  name: 'default'
  properties: {
    publicNetworkAccess: 'Enabled'
    trustedServiceAccessEnabled: true
    defaultAction: private ? 'Deny' : 'Allow'
    // A Deny without any rule is no Deny: https://learn.microsoft.com/azure/event-hubs/event-hubs-ip-filtering
    virtualNetworkRules: private ? [{ subnet: { id: appSubnetId }, ignoreMissingVnetServiceEndpoint: true }] : []
  }
}

// One at a time, here and below: a namespace refuses a change while another is at work on it.
@batchSize(1)
resource streams 'Microsoft.EventHub/namespaces/eventhubs@2026-01-01' = [
  for hub in hubs: {
    parent: namespace
    dependsOn: [network]
    name: hub
    properties: {
      partitionCount: partitions
      retentionDescription: { cleanupPolicy: 'Delete', retentionTimeInHours: retentionHours }
    }
  }
]

@batchSize(1)
resource cwppReaders 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2026-01-01' = [
  for reader in readers: {
    parent: streams[0]
    name: reader
  }
]

@batchSize(1)
resource cspmReaders 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2026-01-01' = [
  for reader in readers: {
    parent: streams[1]
    dependsOn: [cwppReaders]
    name: reader
  }
]
