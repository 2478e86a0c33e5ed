// What people may do by hand. Nobody is named by default, and nobody needs a key. A role on the database is no role of Azure's:
// docs/deploy.md says how a person gets one.
param eventHubsName string
param hubs string[]
param vaultName string

@description('Object ids of those who put secrets into the vault.')
param operators string[]

@description('Object ids of those who publish messages with `alert-router send`.')
param senders string[]

var roles = loadJsonContent('roles.json')

resource namespace 'Microsoft.EventHub/namespaces@2026-01-01' existing = {
  name: eventHubsName
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

// Officer: they write secrets. It gives no rights over the vault itself.
resource secrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for person in operators: {
    scope: vault
    name: guid(vault.id, person, roles.keyVaultSecretsOfficer)
    properties: {
      principalId: person
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsOfficer)
    }
  }
]

resource cwpp 'Microsoft.EventHub/namespaces/eventhubs@2026-01-01' existing = {
  parent: namespace
  name: hubs[0]
}

resource cspm 'Microsoft.EventHub/namespaces/eventhubs@2026-01-01' existing = {
  parent: namespace
  name: hubs[1]
}

resource sendsAlerts 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for person in senders: {
    scope: cwpp
    name: guid(cwpp.id, person, roles.eventHubsDataSender)
    properties: {
      principalId: person
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataSender)
    }
  }
]

resource sendsPosture 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for person in senders: {
    scope: cspm
    name: guid(cspm.id, person, roles.eventHubsDataSender)
    properties: {
      principalId: person
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataSender)
    }
  }
]
