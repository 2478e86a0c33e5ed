// What Defender for Cloud sends, and where: alerts to one hub, posture to the other. One subscription's; for management
// groups there is export-policy.bicep.
param location string
param tags object
param eventHubsName string
param hubs array

@description('Object id, in this tenant, of Windows Azure Security Resource Provider (application 8edd93e1-2103-40b4-bd70-6e34e586362d).')
param defenderPrincipalId string

@description('Severities of alerts that are exported; empty for all. What is left out here is on no record.')
param severities array

// A finding without its recommendation cannot be read, so both are exported: the weekly snapshots too.
// https://learn.microsoft.com/azure/defender-for-cloud/continuous-export
var posture = [
  'Assessments'
  'AssessmentsSnapshot'
  'SubAssessments'
  'SubAssessmentsSnapshot'
  'SecureScores'
  'SecureScoresSnapshot'
  'SecureScoreControls'
  'SecureScoreControlsSnapshot'
  'RegulatoryComplianceAssessment'
  'RegulatoryComplianceAssessmentSnapshot'
  'AttackPaths'
  'AttackPathsSnapshot'
]

var roles = loadJsonContent('roles.json')

resource namespace 'Microsoft.EventHub/namespaces@2026-01-01' existing = {
  name: eventHubsName
}

resource streams 'Microsoft.EventHub/namespaces/eventhubs@2026-01-01' existing = [for hub in hubs: {
  parent: namespace
  name: hub
}]

// Defender sends as a trusted service: with its own identity, so that the hub needs no key, and past a closed network.
// https://learn.microsoft.com/azure/defender-for-cloud/continuous-export-event-hub-firewall
resource sends 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (hub, at) in hubs: {
  scope: streams[at]
  name: guid(namespace.id, hub, defenderPrincipalId, roles.eventHubsDataSender)
  properties: {
    principalId: defenderPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventHubsDataSender)
  }
}]

// Sets of rules are alternatives; without any, everything is sent.
var only = [for severity in severities: {
  rules: [{ propertyJPath: 'Severity', propertyType: 'String', operator: 'Equals', expectedValue: severity }]
}]

resource alerts 'Microsoft.Security/automations@2023-12-01-preview' = {
  name: 'alert-router-cwpp'
  location: location
  tags: tags
  dependsOn: [sends]
  properties: {
    description: 'Security alerts to the alert router.'
    isEnabled: true
    scopes: [{ description: 'The subscription.', scopePath: subscription().id }]
    sources: [{ eventSource: 'Alerts', ruleSets: only }]
    actions: [{ actionType: 'EventHub', eventHubResourceId: streams[0].id, isTrustedServiceEnabled: true }]
  }
}

resource findings 'Microsoft.Security/automations@2023-12-01-preview' = {
  name: 'alert-router-cspm'
  location: location
  tags: tags
  dependsOn: [sends]
  properties: {
    description: 'Recommendations, findings, scores, compliance and attack paths to the alert router.'
    isEnabled: true
    scopes: [{ description: 'The subscription.', scopePath: subscription().id }]
    sources: [for source in posture: { eventSource: source, ruleSets: [] }]
    actions: [{ actionType: 'EventHub', eventHubResourceId: streams[1].id, isTrustedServiceEnabled: true }]
  }
}
