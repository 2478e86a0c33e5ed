// A workspace of the router's own, for those who bring none.
param name string
param location string
param tags { *: string }

@description('Days for which rows can be queried.')
param retentionDays int

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    features: {
      disableLocalAuth: true
      // Who may read a resource may read its logs, and nobody needs the whole workspace for that.
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}
