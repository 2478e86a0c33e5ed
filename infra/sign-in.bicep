// Who sees the console: Entra signs people in before any request reaches the app. docs/deploy-choices.md says how to register it.
// It stands before the whole site, as Azure knows it no other way.
param appName string

@description('The app registration.')
param clientId string

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource signIn 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: { enabled: true, runtimeVersion: '~1' }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'RedirectToLoginPage'
      redirectToProvider: 'azureactivedirectory'
      // Open to everybody from here on: what stands there keeps a key of its own.
      excludedPaths: ['/api/health']
    }
    httpSettings: { requireHttps: true }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: clientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
          // No secret: the app's identity vouches for it. The setting of this name holds the identity's client id.
          // https://learn.microsoft.com/azure/app-service/configure-authentication-provider-aad#use-a-managed-identity-instead-of-a-secret-preview
          clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
        }
        validation: { allowedAudiences: [clientId] }
      }
    }
    // Without it claims are not passed on under their names, the roles among them.
    // https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
    login: { tokenStore: { enabled: true } }
  }
}
