// Who the router is on its server: an administrator by Microsoft Entra, whose role Azure makes. So no step of a deployment has
// to sign in to the database, from where a closed one could not be reached. docs/deploy.md says what that gives it.
param serverName string
param identityName string

@description('What Azure knows the identity by. It is the name of the resource, and no preview knows it.')
param principalId string

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' existing = {
  name: serverName
}

resource administrator 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2025-08-01' = {
  parent: server
  name: principalId
  properties: {
    principalName: identityName
    principalType: 'ServicePrincipal'
    tenantId: subscription().tenantId
  }
}
