// What tells an operator that something is wrong, and whom. Azure runs each rule over the workspace, on its own clock: none
// of them needs the router or its database to be alive, and three are about its silence. Their queries stand in queries/, tested on
// rows that the program writes; docs/operations.md says what to do when one of them fires.
//
// They are rules on logs, not on metrics: what is missing is a row of an answer here, and no value there.

@description('Where the rules live; the region of the workspace.')
param location string

@description('The Log Analytics workspace whose tables the queries read.')
param workspaceId string

@description('The Application Insights component whose metrics are the router\'s own words.')
param applicationInsightsId string

@description('The namespace of both hubs. Its diagnostic settings must send AllMetrics to the workspace.')
param eventHubNamespaceId string

@description('The storage account of the router.')
param storageAccountId string

@description('The server of its state. Its diagnostic settings must send AllMetrics to the workspace.')
param databaseServerId string

@description('The connections that the server has for users.')
param databaseConnections int

@description('Whether the server lives on CPU credits.')
param isBurstable bool

@description('The Function app.')
param functionAppId string

@description('Tags of every resource.')
param tags { *: string }

@description('Mail addresses of who operates the router. Without any, alerts are seen in the portal only.')
param emailReceivers string[]

@description('An action group that alerts of severity 1 are told to as well: while the state is down the router pages nobody. Empty for none.')
param pagerActionGroupId string

@description('When it was deployed for the first time; empty where nobody said.')
param firstDeployed string

// What an alert is about, where a rule fires for several things at once.
var byStream = [{ name: 'Stream', operator: 'Include', values: ['*'] }]
var byDestination = concat(byStream, [{ name: 'Destination', operator: 'Include', values: ['*'] }])
var byRule = concat(byStream, [{ name: 'Rule', operator: 'Include', values: ['*'] }])

// A rule fires when its query answers with a row, once for each combination of its dimensions, and resolves itself when
// there is none any more. `every` is how often Azure asks, `window` how far back the query sees. `from` is when the
// answer begins to mean something: until then the query has none, at most as long after the first deployment as it says.
//   severity 1: somebody may be unprotected now, and should get up
//   severity 2: nothing is lost yet, and will be if nobody looks within hours
//   severity 3: to be seen to within days
var always = [
  {
    name: 'dead-pages'
    title: 'Pages were given up on'
    from: 'from the first page on'
    query: loadTextContent('queries/alert-dead-pages.kql')
    severity: 1 // somebody should have been paged, and was not
    every: 'PT5M' // such a page waited for hours already; minutes more do not matter, hours do
    window: 'PT15M' // sweeps come every minute; telemetry may be some minutes late
    dimensions: byDestination
  }
  {
    name: 'late-pages'
    title: 'A page waits for more than two minutes'
    from: 'from the first page on'
    query: loadTextContent('queries/alert-late-pages.kql')
    severity: 1 // the same, while it can still be mended
    every: 'PT5M'
    window: 'PT10M' // no longer: it is about now
    dimensions: byStream
  }
  {
    name: 'loss'
    title: 'Messages were lost'
    from: 'from the first sweep on'
    query: loadTextContent('queries/alert-loss.kql')
    severity: 1 // nobody was told of them, and nobody will be
    every: 'PT5M'
    window: 'P1D' // it is said once and does not heal: the alert stands for a day, so that nobody sleeps through it
    dimensions: byStream
  }
  {
    name: 'silent-stream'
    title: 'The router is silent about a stream'
    from: 'from an hour after the first deployment on'
    query: loadTextContent('queries/alert-silent-stream.kql')
    severity: 1 // while it is silent nobody knows whether anybody is paged
    every: 'PT5M'
    window: 'PT15M' // a sweep every minute: 15 missed ones are no deployment and no late telemetry
    dimensions: byStream
  }
  {
    name: 'nothing-committed'
    title: 'Messages lie in the hubs, and nothing was committed for five minutes'
    from: 'from an hour after the first deployment on'
    query: loadTextContent('queries/alert-nothing-committed.kql')
    severity: 1 // alerts wait in the hub, unread, and no page goes out while the state is down
    every: 'PT5M'
    window: 'P1D' // a hub that holds a message does so until it is taken in, also in a night in which no other comes
    dimensions: []
  }
  {
    name: 'lag'
    title: 'A hub fills faster than it is taken in'
    from: 'once a hub was watched for 20 minutes'
    query: loadTextContent('queries/alert-lag.kql')
    severity: 2 // the hub keeps what is not taken in, for days
    every: 'PT15M'
    window: 'PT30M' // a weekly snapshot comes as a hill; half an hour of climbing is more than that
    dimensions: byStream
  }
  {
    name: 'paused'
    title: 'A destination refuses our credentials'
    from: 'from an hour after the first deployment on'
    query: loadTextContent('queries/alert-paused.kql')
    severity: 2 // what is owed there waits; a page that does is late and has its own alert
    every: 'PT5M'
    window: 'PT15M'
    dimensions: byDestination
  }
  {
    name: 'silent-export'
    title: 'Nothing was exported for a day'
    from: 'from 48 hours after the first deployment on'
    query: loadTextContent('queries/alert-silent-export.kql')
    severity: 2 // Defender's own portal still shows everything
    every: 'PT1H' // what took a day to see is not seen better every five minutes
    window: 'P1D' // posture changes every day in any environment that is in use
    dimensions: []
  }
  {
    name: 'expiring-rules'
    title: 'A suppression rule ends within two weeks'
    from: 'from the first sweep on'
    query: loadTextContent('queries/alert-expiring-rules.kql')
    severity: 3 // two weeks are enough to ask its owner
    every: 'PT6H' // the answer changes by the day; a rule that resolves by itself must be asked at least this often
    window: 'P1D'
    dimensions: byRule
  }
  {
    name: 'database-storage'
    title: 'The disk of the state is filled above 80 %'
    from: 'from the first metric on'
    query: loadTextContent('queries/alert-database-storage.kql')
    severity: 2 // Azure adds storage by itself; where it cannot, the state takes nothing in from 95 % on
    every: 'PT15M'
    window: 'PT1H' // the metric is minutes late
    dimensions: []
  }
  {
    name: 'database-connections'
    title: 'The connections of the state run out'
    from: 'from the first metric on'
    query: loadTextContent('queries/alert-database-connections.kql')
    severity: 2 // what is refused is tried again
    every: 'PT5M'
    window: 'PT15M'
    dimensions: []
  }
]

// Only a size of Standard_B has credits.
var credits = [
  {
    name: 'database-credits'
    title: 'The CPU credits of the state run out'
    from: 'from the first metric on'
    query: loadTextContent('queries/alert-database-credits.kql')
    severity: 2 // without any it is slow, and may not be reached at all
    every: 'PT5M'
    window: 'PT30M' // the metric comes in heaps of five minutes, and is minutes late
    dimensions: []
  }
]

var rules = concat(always, isBurstable ? credits : [])

resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'alert-router-operators'
  location: 'Global' // an action group is not in a region, so that it works when one does not
  tags: tags
  properties: {
    groupShortName: 'alertrouter'
    enabled: true
    emailReceivers: [
      for (address, number) in emailReceivers: {
        name: 'mail-${number}'
        emailAddress: address
        useCommonAlertSchema: true
      }
    ]
  }
}

// What a query cannot know: each stands in it in braces.
var placeholders = {
  databaseConnections: string(databaseConnections)
  databaseServerId: databaseServerId
  eventHubNamespaceId: eventHubNamespaceId
  firstDeployed: firstDeployed
}

resource queryRules 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for rule in rules: {
    name: 'alert-router-${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Alert router: ${rule.title}'
      description: '${rule.title}. It means something ${rule.from}. What to do: docs/operations.md, "When an alert fires", ${rule.name}.'
      enabled: true
      severity: rule.severity
      scopes: [workspaceId]
      evaluationFrequency: rule.every
      windowSize: rule.window
      // A table that the same deployment makes may not be known yet when Azure checks the query.
      skipQueryValidation: true
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: reduce(items(placeholders), rule.query, (query, one) => replace(query, '{${one.key}}', one.value))
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: rule.dimensions
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: rule.severity == 1 && !empty(pagerActionGroupId)
          ? [operators.id, pagerActionGroupId]
          : [operators.id]
        // Where to look, in the mail and in every webhook that hears of it.
        customProperties: {
          applicationInsights: applicationInsightsId
          eventHubs: eventHubNamespaceId
          functionApp: functionAppId
          storage: storageAccountId
          database: databaseServerId
        }
      }
    }
  }
]
