// The custom tables that rows are written to, with the columns that the code says (infra/generate.py).
param workspaceName string

@description('The table that the rows of alerts go to: Sentinel brings its own, another is made.')
param alertsTable string

var asim = 'ASimAlertEventLogs'

var tables = loadJsonContent('generated/log-tables.json')

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: workspaceName
}

@batchSize(1)
resource made 'Microsoft.OperationalInsights/workspaces/tables@2025-02-01' = [
  for table in tables: if (table.name != asim || alertsTable != asim) {
    parent: workspace
    name: table.name == asim ? alertsTable : table.name
    properties: {
      schema: { name: table.name == asim ? alertsTable : table.name, columns: table.columns }
    }
  }
]
