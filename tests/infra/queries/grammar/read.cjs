// Reads queries with Microsoft's parser: {modules, schema, queries} on standard input, what it says of each on standard output.
const { modules, schema, queries } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
require(`${modules}/@kusto/language-service-next/bridge.min.js`);
require(`${modules}/@kusto/language-service-next/Kusto.Language.Bridge.min.js`);

const { GlobalState, KustoCode, Symbols } = Kusto.Language;
const all = (list) => Array.from({ length: list.Count }, (_, at) => list.getItem(at));

const columns = (table) => `(${Object.entries(table).map(([name, type]) => `['${name}']: ${type}`).join(", ")})`;
const tables = Object.entries(schema).map(([name, table]) => new Symbols.TableSymbol.$ctor7(name, columns(table), null));
const workspace = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("workspace", tables));

const read = (query) => {
  const code = KustoCode.ParseAndAnalyze(query, workspace);
  const found = code.ResultType?.Columns;
  return {
    problems: all(code.GetDiagnostics()).map((one) => `${one.Code}: ${one.Message}`),
    columns: Object.fromEntries((found ? all(found) : []).map((one) => [one.Name, one.Type.Name])),
  };
};
console.log(JSON.stringify(queries.map(read)));
