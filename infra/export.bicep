// What Defender for Cloud sends of one subscription, and where: alerts to one hub, posture to the other.
param location string
param tags { *: string }

@description('Resource ids of the hubs, which may be in another subscription.')
param cwppHubId string
param cspmHubId string

@description('Severities of alerts that are exported; empty for all. What is left out here is on no record.')
param severities string[]

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

// Sets of rules are alternatives; without any, everything is sent.
var only = [
  for severity in severities: {
    rules: [{ propertyJPath: 'Severity', propertyType: 'String', operator: 'Equals', expectedValue: severity }]
  }
]

resource alerts 'Microsoft.Security/automations@2023-12-01-preview' = {
  name: 'alert-router-cwpp'
  location: location
  tags: tags
  properties: {
    description: 'Security alerts to the alert router.'
    isEnabled: true
    scopes: [{ description: 'The subscription.', scopePath: subscription().id }]
    sources: [{ eventSource: 'Alerts', ruleSets: only }]
    actions: [{ actionType: 'EventHub', eventHubResourceId: cwppHubId, isTrustedServiceEnabled: true }]
  }
}

resource findings 'Microsoft.Security/automations@2023-12-01-preview' = {
  name: 'alert-router-cspm'
  location: location
  tags: tags
  properties: {
    description: 'Recommendations, findings, scores, compliance and attack paths to the alert router.'
    isEnabled: true
    scopes: [{ description: 'The subscription.', scopePath: subscription().id }]
    sources: [for source in posture: { eventSource: source, ruleSets: [] }]
    actions: [{ actionType: 'EventHub', eventHubResourceId: cspmHubId, isTrustedServiceEnabled: true }]
  }
}
