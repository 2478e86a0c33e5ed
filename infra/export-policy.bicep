// Continuous export from every subscription of a management group, by Microsoft's own policy. Deployed by itself:
//
//   az deployment mg create --management-group-id ID --location REGION --template-file infra/export-policy.bicep \
//     --parameters cwppHubId=... cspmHubId=... location=REGION
//
// What the policy cannot export, in version 1.0.0, which export.bicep can: attack paths, their snapshots, and alerts of
// severity Informational. Subscriptions that are there already need a remediation task, which
// finds nothing before the policy was evaluated: docs/deploy.md says when to make it. The policy
// grants its own identity Contributor on the management group, since it makes a resource group in each subscription.
// https://github.com/Azure/azure-policy/blob/master/built-in-policies/policyDefinitions/Security%20Center/ASC_ExportToEventHubAsTrustedService_DINE.json
targetScope = 'managementGroup'

@description('Resource ids of the two hubs: outputs CWPP_HUB_ID and CSPM_HUB_ID of main.bicep.')
param cwppHubId string
param cspmHubId string

@description('Where the exports and their resource groups are made.')
param location string

var definition = tenantResourceId('Microsoft.Authorization/policyDefinitions', 'af9f6c70-eb74-4189-8d15-e4f11a7ebfd4')
var contributor = tenantResourceId('Microsoft.Authorization/roleDefinitions', 'b24988ac-6180-42a0-ab88-20f7382dd24c')

// The policy calls its export exportToEventHub, so a resource group holds one: each stream gets a group of its own.
var exports = [
  { stream: 'cwpp', hub: cwppHubId, findings: false, types: ['Security alerts'] }
  {
    stream: 'cspm'
    hub: cspmHubId
    findings: true
    types: [
      'Security recommendations'
      'Security recommendations - snapshot'
      'Security findings - snapshot'
      'Overall secure score'
      'Overall secure score - snapshot'
      'Secure score controls'
      'Secure score controls - snapshot'
      'Regulatory compliance'
      'Regulatory compliance - snapshot'
    ]
  }
]

resource assignments 'Microsoft.Authorization/policyAssignments@2026-07-01' = [
  for one in exports: {
    name: 'alert-router-${one.stream}'
    location: location
    identity: { type: 'SystemAssigned' }
    properties: {
      displayName: 'Export ${one.stream} to the alert router'
      policyDefinitionId: definition
      parameters: {
        eventHubDetails: { value: one.hub }
        exportedDataTypes: { value: one.types }
        isSecurityFindingsEnabled: { value: one.findings }
        resourceGroupName: { value: 'rg-alert-router-export-${one.stream}' }
        resourceGroupLocation: { value: location }
      }
    }
  }
]

resource deploys 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (one, at) in exports: {
    name: guid(managementGroup().id, one.stream, contributor)
    properties: {
      principalId: assignments[at].identity.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: contributor
    }
  }
]
