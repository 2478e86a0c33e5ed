// How a changed file reaches the pager. Defender raises no alert for it and exports nothing of it: it writes a row into a table.
// This rule searches that table, and the action group sends what it finds into the hub of alerts, where the router reads it as an
// alert of Azure Monitor. docs/deploy.md says what must be turned on in Defender first.

@description('Where the rule lives; the region of the workspace.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('The Log Analytics workspace into which Defender for Servers writes changes.')
param workspaceId string

@description('Severity of the alerts: 0 and 1 are High to the router, 2 Medium, 3 Low, 4 Informational.')
param severity int

@description('The namespace of the hub that they are sent into.')
param eventHubsName string

@description('That hub.')
param hub string

var roles = loadJsonContent('roles.json')

resource namespace 'Microsoft.EventHub/namespaces@2026-01-01' existing = {
  name: eventHubsName

  resource stream 'eventhubs' existing = { name: hub }
}

// With an identity of its own, since the hubs have no keys: the only api version that has one is a preview.
// https://learn.microsoft.com/azure/azure-monitor/alerts/action-groups#use-managed-identity-with-azure-action-groups-preview
resource router 'Microsoft.Insights/actionGroups@2024-10-01-preview' = {
  name: 'alert-router-hub'
  location: 'Global' // as the operators' group: it works when a region does not
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    groupShortName: 'alertrtr-hub'
    enabled: true
    eventHubReceivers: [
      {
        name: hub
        subscriptionId: subscription().subscriptionId
        tenantId: subscription().tenantId
        eventHubNameSpace: eventHubsName
        eventHubName: hub
        useCommonAlertSchema: true // the router reads no other
        managedIdentity: 'SystemAssigned'
      }
    ]
  }
}

// On the one hub, and to send only. Named after the group, not after its principal, so that a preview can name it.
resource sends 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: namespace::stream
  name: guid(namespace::stream.id, router.id, roles.eventHubsDataSender)
  properties: {
    principalId: router.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataSender)
  }
}

resource rule 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = {
  name: 'file-integrity' // the alert type, by which rules and routes know it
  location: location
  tags: tags
  kind: 'LogAlert'
  dependsOn: [sends]
  properties: {
    displayName: 'A watched file or registry key changed'
    description: 'A watched file or registry key changed. The rows behind the link say what changed, and who changed it.'
    enabled: true
    severity: severity
    scopes: [workspaceId]
    // As often as it looks back, so that each change is found once. Azure waits for rows that come late by asking again:
    // https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-troubleshoot-log
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    // Defender makes the table with the first change.
    skipQueryValidation: true
    // A change is no state that ends: a file that is left alone for ten minutes is still changed. A rule that resolves itself
    // would take back the page and close the ticket before anybody has looked, and be silent on what is changed next while it
    // stands. So each change in five minutes is an alert of its own, which people close; the router groups what is alike.
    autoMitigate: false
    criteria: {
      allOf: [
        {
          query: loadTextContent('queries/file-integrity.kql')
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          // The alert is about the machine, not about the workspace that is searched.
          resourceIdColumn: 'AzureResourceId'
          // Of the rows an alert has nothing but what it is split by.
          dimensions: [
            { name: 'Computer', operator: 'Include', values: ['*'] }
            { name: 'FilePath', operator: 'Include', values: ['*'] }
          ]
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [router.id] }
  }
}
