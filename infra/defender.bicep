// Who exports: Defender for Cloud sends into both hubs as a trusted service, with its own identity, so that they need no key
// and a closed network lets it in. It is the same for every subscription of the tenant.
// https://learn.microsoft.com/azure/defender-for-cloud/continuous-export-event-hub-firewall
param eventHubsName string
param hubs string[]

@description('Object id, in this tenant, of Windows Azure Security Resource Provider (application 8edd93e1-2103-40b4-bd70-6e34e586362d).')
param principalId string

var roles = loadJsonContent('roles.json')

resource namespace 'Microsoft.EventHub/namespaces@2026-01-01' existing = {
  name: eventHubsName
}

resource streams 'Microsoft.EventHub/namespaces/eventhubs@2026-01-01' existing = [
  for hub in hubs: {
    parent: namespace
    name: hub
  }
]

resource sends 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (hub, at) in hubs: {
    scope: streams[at]
    name: guid(namespace.id, hub, principalId, roles.eventHubsDataSender)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataSender)
    }
  }
]
