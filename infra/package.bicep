// The code, for those who deploy without azd: a released package, fetched by Azure from its address.
// https://learn.microsoft.com/azure/azure-functions/functions-infrastructure-as-code
param appName string
param packageUri string

// By its whole name: as a child of the app the compiler knows less of it than Azure does.
resource code 'Microsoft.Web/sites/extensions@2025-03-01' = {
  name: '${appName}/onedeploy'
  properties: {
    packageUri: packageUri
    // It was built with all that it needs.
    remoteBuild: false
  }
}
