// What people may do by hand. Nobody is named by default, and nobody needs a key.
param eventHubsName string
param hubs string[]
param storageName string
param vaultName string

@description('Object ids of those who put secrets into the vault, and look after dead letters and the quarantine.')
param operators string[]

@description('Object ids of those who publish messages with `alert-router send`.')
param senders string[]

var roles = loadJsonContent('roles.json')

resource namespace 'Microsoft.EventHub/namespaces@2026-01-01' existing = {
  name: eventHubsName
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

// `dead-letters` and `quarantine` read and write all three services of the account, and the account is the router's alone.
resource blobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for person in operators: {
    scope: account
    name: guid(account.id, person, roles.storageBlobDataContributor)
    properties: {
      principalId: person
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles.storageBlobDataContributor
      )
    }
  }
]

resource queues 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for person in operators: {
    scope: account
    name: guid(account.id, person, roles.storageQueueDataContributor)
    properties: {
      principalId: person
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles.storageQueueDataContributor
      )
    }
  }
]

resource tables 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for person in operators: {
    scope: account
    name: guid(account.id, person, roles.storageTableDataContributor)
    properties: {
      principalId: person
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles.storageTableDataContributor
      )
    }
  }
]

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
