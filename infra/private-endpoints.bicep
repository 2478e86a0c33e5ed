// Private addresses of what the router keeps and reads, and the names by which the network finds them.
param location string
param tags { *: string }
param networkName string
param storageName string
param databaseServerName string
param eventHubsName string
param vaultName string

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: networkName

  resource subnet 'subnets' existing = { name: 'services' }
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' existing = {
  name: databaseServerName
}

resource namespace 'Microsoft.EventHub/namespaces@2026-01-01' existing = {
  name: eventHubsName
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

var services = [
  { name: 'blob', zone: 'privatelink.blob.${environment().suffixes.storage}' }
  { name: 'queue', zone: 'privatelink.queue.${environment().suffixes.storage}' }
  { name: 'postgresqlServer', zone: 'privatelink.postgres.database.azure.com' }
  { name: 'namespace', zone: 'privatelink.servicebus.windows.net' }
  { name: 'vault', zone: 'privatelink.vaultcore.azure.net' }
]

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for service in services: {
    name: service.zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (service, at) in services: {
    parent: zones[at]
    name: 'alert-router'
    location: 'global'
    tags: tags
    properties: { registrationEnabled: false, virtualNetwork: { id: network.id } }
  }
]

// One at a time: two are on one account, and all in one subnet.
@batchSize(1)
resource endpoints 'Microsoft.Network/privateEndpoints@2025-05-01' = [
  for service in services: {
    name: 'pe-${service.name}'
    location: location
    tags: tags
    properties: {
      subnet: { id: network::subnet.id }
      privateLinkServiceConnections: [
        {
          name: service.name
          properties: {
            privateLinkServiceId: service.name == 'namespace'
              ? namespace.id
              : service.name == 'vault' ? vault.id : service.name == 'postgresqlServer' ? server.id : account.id
            groupIds: [service.name]
          }
        }
      ]
    }
  }
]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [
  for (service, at) in services: {
    parent: endpoints[at]
    name: 'default'
    properties: { privateDnsZoneConfigs: [{ name: service.name, properties: { privateDnsZoneId: zones[at].id } }] }
  }
]
