// A network of the router's own, for those who close the public one: the app goes out through one subnet, and the services
// have private addresses in the other.
param name string
param location string
param tags { *: string }

@description('Ranges that nobody else uses: of the app, and of the services. /26 each is plenty.')
param appAddresses string
param serviceAddresses string

resource rules 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${name}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'nothing-from-outside'
        properties: {
          access: 'Deny'
          direction: 'Inbound'
          priority: 4000
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [appAddresses, serviceAddresses] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: appAddresses
          networkSecurityGroup: { id: rules.id }
          // Flex Consumption runs on it: https://learn.microsoft.com/azure/azure-functions/flex-consumption-how-to
          delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'services'
        properties: {
          addressPrefix: serviceAddresses
          networkSecurityGroup: { id: rules.id }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}
