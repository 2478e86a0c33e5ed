// What the router may do: each role on the narrowest scope that works. docs/operations.md has the same table.
param identityName string
param eventHubsName string
param storageName string
param vaultName string
param applicationInsightsName string
param ruleNames string[]

var roles = loadJsonContent('roles.json')

// Assignments are named after the identity, not after its principal, which only Azure knows: so a preview can name them.
// docs/deploy.md says what to do where somebody made the identity anew.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource namespace 'Microsoft.EventHub/namespaces@2026-01-01' existing = {
  name: eventHubsName
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource rules 'Microsoft.Insights/dataCollectionRules@2024-03-11' existing = [
  for rule in ruleNames: {
    name: rule
  }
]

// On the namespace, which is the router's alone: what scales an app from zero looks at the hubs by the app's identity, and has
// failed with less. https://github.com/Azure/azure-functions-host/issues/8241
// https://learn.microsoft.com/azure/azure-functions/functions-bindings-event-hubs-trigger#identity-based-connections
resource receives 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: namespace
  name: guid(namespace.id, identity.id, roles.eventHubsDataReceiver)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataReceiver)
  }
}

// On the account, which is the router's alone: the host makes containers and poison queues of its own in it. Nothing of the
// router's own asks it for anything: the host's bindings put wake-ups into the queues, and take them out.
// https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
var onAccount = [
  roles.storageBlobDataOwner // what the host asks for; the deployed package and the checkpoints of the hubs come with it
  roles.storageQueueDataContributor // not Message Processor: the host also sends, and makes poison queues
]

resource keeps 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in onAccount: {
    scope: account
    name: guid(account.id, identity.id, role)
    properties: {
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

// On the vault: it holds only what the rules name. A role on one secret could not be given before the secret is there.
resource secrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, identity.id, roles.keyVaultSecretsUser)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}

// On each rule: rows go in, and nothing can be read by it.
resource rows 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (rule, at) in ruleNames: {
    scope: rules[at]
    name: guid(resourceGroup().id, rule, identity.id, roles.monitoringMetricsPublisher)
    properties: {
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles.monitoringMetricsPublisher
      )
    }
  }
]

// On the component: the host's telemetry, since its key is turned off.
resource telemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: component
  name: guid(component.id, identity.id, roles.monitoringMetricsPublisher)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles.monitoringMetricsPublisher
    )
  }
}
