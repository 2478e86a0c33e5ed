// Where the router keeps its state: a server of PostgreSQL, to which only identities of Microsoft Entra sign in.
param name string
param location string
param tags { *: string }

@description('Major version of PostgreSQL.')
param version string

@description('A size of database-sizes.json.')
param size string

@description('Whether a second server stands by, in the same zone or another one.')
param highAvailability 'Disabled' | 'SameZone' | 'ZoneRedundant'

@description('GiB that it begins with. Azure adds what it needs, and takes nothing back.')
param storageGB int

@description('Days of which each moment can be restored.')
param backupDays int

@description('Whether the network is closed but for a private endpoint.')
param private bool

@description('The database on the server.')
param databaseName string

var sizes = loadJsonContent('database-sizes.json')

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: size, tier: sizes[size].tier }
  properties: {
    version: version
    authConfig: {
      activeDirectoryAuth: 'Enabled'
      passwordAuth: 'Disabled'
      tenantId: subscription().tenantId
    }
    storage: { storageSizeGB: storageGB, autoGrow: 'Enabled' }
    // A copy in another region would keep alerts where nobody chose to keep them, and cannot be turned off later.
    backup: { backupRetentionDays: backupDays, geoRedundantBackup: 'Disabled' }
    highAvailability: { mode: highAvailability }
    // A private endpoint, and no network of its own: Azure lets no server out of one again.
    network: { publicNetworkAccess: private ? 'Disabled' : 'Enabled' }
  }
}

// One after the other, here and in database-administrator.bicep: a server refuses a change while another is at work on it
// (ServerBusy). https://github.com/Azure/azure-postgresql/issues/134
resource database 'Microsoft.DBforPostgreSQL/flexibleServers/databases@2025-08-01' = {
  parent: server
  name: databaseName
  // Azure's usual order of texts: each column of the state that is text has its own.
  properties: { charset: 'UTF8', collation: 'en_US.utf8' }
}

// An app on Flex Consumption has no address of its own. This lets in whatever has an address of Azure's, other customers' too:
// what keeps them out is that each needs an identity with a role here.
resource azure 'Microsoft.DBforPostgreSQL/flexibleServers/firewallRules@2025-08-01' = if (!private) {
  parent: server
  dependsOn: [database]
  name: 'azure'
  properties: { startIpAddress: '0.0.0.0', endIpAddress: '0.0.0.0' }
}
