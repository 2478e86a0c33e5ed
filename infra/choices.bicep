// What people choose, as it comes out of an environment: lists in one string each, separated by commas. And what is wrong
// with it, in lines that name the parameter.

@export()
@description('The severities that Defender knows.')
var known = ['High', 'Medium', 'Low', 'Informational']

@export()
@description('What stands between the commas: without blanks around it, without what is empty, each once.')
func items(text string) string[] => union([], filter(map(split(text, ','), item => trim(item)), item => !empty(item)))

@export()
@description('The same where case means nothing: ids, addresses, severities.')
func lowerItems(text string) string[] => items(toLower(text))

@export()
@description('The severities of a list, as Defender writes them.')
func severitiesOf(text string) string[] => filter(known, severity => contains(lowerItems(text), toLower(severity)))

@export()
@description('The names of a list, which is empty where it says none.')
func namesOf(text string) string[] => trim(text) == 'none' ? [] : items(text)

@export()
@description('The instant that a text says, which is empty where it says none.')
func instantOf(text string) string => toLower(trim(text)) == 'none' ? '' : trim(text)

@export()
@description('What is wrong with ids of people and subscriptions.')
func wrongIds(parameter string, ids string[]) string[] =>
  map(filter(ids, id => !isId(id)), id => '${parameter}: "${id}" is no id: 00000000-0000-0000-0000-000000000000')

@export()
@description('What is wrong with severities.')
func wrongSeverities(parameter string, text string) string[] =>
  map(
    filter(lowerItems(text), one => !contains(map(known, severity => toLower(severity)), one)),
    one => '${parameter}: "${one}" is none of ${join(known, ', ')}'
  )

@export()
@description('What is wrong with addresses of mail.')
func wrongAddresses(parameter string, addresses string[]) string[] =>
  map(
    filter(
      addresses,
      address => length(split(address, '@')) != 2 || contains(split(address, '@'), '') || contains(address, ' ')
    ),
    address => '${parameter}: "${address}" is no address of mail'
  )

@export()
@description('What is wrong with names of secrets. None is repeated: one that is a secret would stay in the deployment\'s history.')
func wrongNames(parameter string, text string) string[] =>
  trim(text) == 'none' || !empty(items(text)) && empty(filter(items(text), name => !isName(name)))
    ? []
    : [
        '${parameter}: it must be none, or names of app settings in capital letters, digits and _, separated by commas, none of which Azure or infra/ sets itself'
      ]

@export()
@description('What is wrong with the id of a workspace.')
func wrongWorkspace(parameter string, id string) string[] =>
  empty(id) || isWorkspace(split(toLower(id), '/'))
    ? []
    : ['${parameter}: "${id}" is no resource id of a Log Analytics workspace']

@export()
@description('What is wrong with the id of an action group.')
func wrongActionGroup(parameter string, id string) string[] =>
  empty(id) || isActionGroup(split(toLower(id), '/'))
    ? []
    : ['${parameter}: "${id}" is no resource id of an action group']

@export()
@description('What is wrong with the address of the console. It is not repeated: it may hold a token.')
func wrongConsole(parameter string, url string) string[] =>
  empty(trim(url)) || startsWith(toLower(trim(url)), 'https://') ? [] : ['${parameter}: it must begin with https://']

// A process has one connection, and each function scales by itself: five that deliver and the sweep, to the maximum of
// instances each, and two that take in, to the partitions of their hub; one more for each of an operator and the health page. A
// new version that takes over by and by has its own beside those of the old one.
@export()
@description('The connections that the router may open to its database at a time, at most.')
func connectionsOf(instances int, partitions int, strategy string) int =>
  (6 * instances + 2 * partitions + 2) * (strategy == 'RollingUpdate' ? 2 : 1)

@export()
@description('The connections that a size has for users, its tier, and its cores.')
var databaseSizes = loadJsonContent('database-sizes.json')

@export()
@description('What is wrong with a size of the database.')
func wrongDatabase(size string, highAvailability string, connections int) string[] =>
  !contains(objectKeys(databaseSizes), size)
    ? ['databaseSize: "${size}" is none of ${join(objectKeys(databaseSizes), ', ')}']
    : concat(
        4 * connections <= 3 * databaseSizes[size].connections
          ? []
          : [
              'databaseSize: ${size} has ${databaseSizes[size].connections} connections for users, and ${connections}, which maximumInstances, partitions and updateStrategy come to, are more than 75 % of them'
            ],
        highAvailability == 'Disabled' || databaseSizes[size].tier != 'Burstable'
          ? []
          : [
              'databaseHighAvailability: "${highAvailability}" takes a size that begins with Standard_D or Standard_E, and databaseSize is ${size}'
            ]
      )

@export()
@description('What is wrong with an instant.')
func wrongInstant(parameter string, text string) string[] =>
  empty(instantOf(text)) || isInstant(instantOf(text))
    ? []
    : ['${parameter}: "${text}" is no instant in UTC, as 2026-01-31T23:59:59Z, and not none']

@export()
@description('The days of a list of outcomes, as the app reads them.')
func retentionOf(text string) string => join(items(text), ', ')

@export()
@description('What is wrong with outcomes and their days.')
func wrongRetention(parameter string, text string) string[] =>
  concat(
    map(
      filter(items(text), one => !isRetention(map(split(one, '='), part => trim(part)))),
      one =>
        '${parameter}: "${one}" is no outcome with its days, 1 to 9999, as below_floor=30; outcomes are ${join(outcomes, ', ')}'
    ),
    map(
      filter(outcomes, outcome => length(filter(items(text), one => trim(split(one, '=')[0]) == outcome)) > 1),
      outcome => '${parameter}: ${outcome} is there twice; say its days once'
    )
  )

// Outcome of router/domain/decisions.py.
var outcomes = ['quarantined', 'resolved', 'noted', 'below_floor', 'suppressed', 'routed', 'repeat']

func isRetention(parts string[]) bool =>
  length(parts) == 2 && contains(outcomes, parts[0]) && !empty(parts[1]) && length(parts[1]) <= 4 && consistsOf(
    parts[1],
    '0123456789'
  ) && !startsWith(parts[1], '0')

func isId(text string) bool =>
  map(split(text, '-'), part => length(part)) == [8, 4, 4, 4, 12] && consistsOf(
    replace(text, '-', ''),
    '0123456789abcdef'
  )

// What function-app.bicep sets, and what Functions keeps for itself: https://learn.microsoft.com/azure/azure-functions/functions-app-settings
var taken = [
  'ALERT_ROUTER_CONSOLE_'
  'APPLICATIONINSIGHTS_'
  'AZUREWEBJOBS'
  'AZURE_FUNCTIONS_'
  'CSPM_LOGS_'
  'CWPP_LOGS_'
  'EVENT_HUBS_'
  'FUNCTIONS_'
  'OTEL_'
  'OVERRIDE_USE_MI_FIC_'
  'PYTHON_'
  'SCM_'
  'WEBSITE_'
]

func isName(text string) bool =>
  empty(filter(taken, one => startsWith(text, one))) && consistsOf(text, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_') && consistsOf(
    substring(text, 0, 1),
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
  )

func isWorkspace(path string[]) bool => isResource(path, 'microsoft.operationalinsights', 'workspaces')

func isActionGroup(path string[]) bool => isResource(path, 'microsoft.insights', 'actiongroups')

func isResource(path string[], provider string, kind string) bool =>
  length(path) == 9 && path[1] == 'subscriptions' && isId(path[2]) && path[3] == 'resourcegroups' && path[6] == provider && path[7] == kind && !contains(
    skip(path, 1),
    ''
  )

func isInstant(text string) bool =>
  withZeros(text) == '0000-00-00T00:00:00Z' && isBetween(text, 5, 1, 12) && isBetween(text, 8, 1, 31) && isBetween(
    text,
    11,
    0,
    23
  ) && isBetween(text, 14, 0, 59) && isBetween(text, 17, 0, 59)

func isBetween(text string, at int, least int, most int) bool =>
  int(substring(text, at, 2)) >= least && int(substring(text, at, 2)) <= most

func withZeros(text string) string => reduce(range(1, 9), text, (shape, digit) => replace(shape, string(digit), '0'))

func consistsOf(text string, characters string) bool =>
  empty(filter(range(0, length(text)), at => !contains(characters, substring(text, at, 1))))
