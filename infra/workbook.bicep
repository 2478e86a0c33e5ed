// One page on what the router decided and delivered, for whoever runs a SOC on it. How it looks stands in workbook.json, what
// it asks in queries/, tested on rows that the program writes.

@description('The region in which the workbook is kept.')
param location string

@description('The Log Analytics workspace whose tables the queries read.')
param workspaceId string

@description('The Application Insights component: the router\'s traces and logs.')
param applicationInsightsId string

@description('The namespace of both hubs.')
param eventHubNamespaceId string

@description('The storage account: what wakes the functions.')
param storageAccountId string

@description('The server of the state: what is owed, and what was given up on.')
param databaseServerId string

@description('The Function app.')
param functionAppId string

@description('Tags of every resource.')
param tags { *: string }

var page = loadJsonContent('workbook.json')

// By the name of the tile that shows them.
var queries = {
  funnel: loadTextContent('queries/funnel.kql')
  suppressed: loadTextContent('queries/suppressed.kql')
  'attack-heat-map': loadTextContent('queries/attack-heat-map.kql')
  deliveries: loadTextContent('queries/deliveries.kql')
  'oldest-undelivered': loadTextContent('queries/oldest-undelivered.kql')
  'posture-backlog': loadTextContent('queries/posture-backlog.kql')
  'sentinel-overlap': loadTextContent('queries/sentinel-overlap.kql')
}

var portal = '${environment().portal}/#@/resource'

var heading = {
  type: 1
  name: 'heading'
  content: {
    json: '## Alert router\nThe [Function app](${portal}${functionAppId}), its [telemetry](${portal}${applicationInsightsId}), the [hubs](${portal}${eventHubNamespaceId}), the [database](${portal}${databaseServerId}) and the [storage account](${portal}${storageAccountId}).'
  }
}

var tiles = [
  for tile in page.tiles: {
    type: 3
    name: tile.name
    customWidth: tile.width
    content: union(tile.look, {
      version: 'KqlItem/1.0'
      query: queries[tile.name]
      size: 0
      queryType: 0
      resourceType: 'microsoft.operationalinsights/workspaces'
      crossComponentResources: [workspaceId]
    })
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'alert-router') // Azure wants one; the same on every deployment
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Alert router'
    category: 'workbook'
    sourceId: workspaceId
    version: 'Notebook/1.0'
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([heading, page.time], tiles)
      fallbackResourceIds: [workspaceId]
    })
  }
}
