// How rows get in: a data collection rule for each stream, so that the limits of one never hold up the other's rows
// (https://learn.microsoft.com/azure/azure-monitor/service-limits#logs-ingestion-api: 12,000 requests a minute a rule).
param name string
param location string
param tags { *: string }
param workspaceId string
param streams string[]

@description('The table that the rows of alerts go to.')
param alertsTable string

// What the router sends, with the columns that the code says (infra/generate.py). A custom stream must be declared.
var declarations = loadJsonContent('generated/log-streams.json')
var tables = loadJsonContent('generated/log-tables.json')

var asim = 'ASimAlertEventLogs'
var alertsOutput = alertsTable == asim ? 'Microsoft-${asim}' : 'Custom-${alertsTable}'

// Direct: the rule has an endpoint of its own. It cannot be given one later.
// https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview
resource rules 'Microsoft.Insights/dataCollectionRules@2024-03-11' = [
  for stream in streams: {
    name: '${name}-${stream}'
    location: location
    tags: tags
    kind: 'Direct'
    properties: {
      description: 'Rows of the alert router about ${stream}.'
      streamDeclarations: declarations
      destinations: { logAnalytics: [{ name: 'workspace', workspaceResourceId: workspaceId }] }
      dataFlows: [
        for table in tables: {
          streams: ['Custom-${table.name}']
          destinations: ['workspace']
          transformKql: 'source'
          outputStream: table.name == asim ? alertsOutput : 'Custom-${table.name}'
        }
      ]
    }
  }
]

output cwppEndpoint string = rules[0].properties.endpoints.logsIngestion
output cwppRule string = rules[0].properties.immutableId
output cspmEndpoint string = rules[1].properties.endpoints.logsIngestion
output cspmRule string = rules[1].properties.immutableId
