// The custom tables that rows are written to, with the columns that the code says (infra/generate.py).
param workspaceName string

@description('Whether the workspace is onboarded to Microsoft Sentinel, which brings ASimAlertEventLogs with it.')
param sentinel bool

var asim = 'ASimAlertEventLogs'

// Without Sentinel the rows of alerts go to a table of the same columns. A custom table's name ends in _CL.
var standIn = 'DefenderAlerts_CL'

var tables = loadJsonContent('generated/log-tables.json')

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: workspaceName
}

resource made 'Microsoft.OperationalInsights/workspaces/tables@2025-02-01' = [for table in tables: if (table.name != asim || !sentinel) {
  parent: workspace
  name: table.name == asim ? standIn : table.name
  properties: {
    schema: { name: table.name == asim ? standIn : table.name, columns: table.columns }
  }
}]

output workspaceId string = workspace.id
output location string = workspace.location
output alertsTable string = sentinel ? asim : standIn
