// Loaded before Azurite: what it keeps in lists, and goes through from end to end, it finds by name. It was made for the account
// of one developer; tests give it thousands, and each request would go through what all of them hold. What it answers stays.
const { createRequire } = require("node:module");
const Loki = createRequire(process.argv[1])("lokijs");
const Collection = Loki.Collection;

// A table is a collection, and the one that is asked for is looked for among those of all accounts.
const byName = new WeakMap();
const { getCollection, removeCollection, renameCollection } = Loki.prototype;

Loki.prototype.getCollection = function (name) {
  let known = byName.get(this);
  if (known?.list !== this.collections || known.seen > this.collections.length) {
    known = { list: this.collections, seen: 0, found: new Map() };
    byName.set(this, known);
  }
  for (; known.seen < this.collections.length; known.seen += 1) {
    known.found.set(this.collections[known.seen].name, this.collections[known.seen]);
  }
  return known.found.get(name) ?? getCollection.call(this, name);
};

for (const [name, changes] of Object.entries({ removeCollection, renameCollection })) {
  Loki.prototype[name] = function (...names) {
    byName.delete(this);
    return changes.apply(this, names);
  };
}

// Before each message that it gives out, it takes away those that ran out, mostly none, and sorts all queues' messages anew;
// and once more when it has said of the message that somebody has it.
const FEW = 40;
const { removeBatch, removeBatchByPositions, update } = Collection.prototype;

Collection.prototype.removeBatch = function (batch) {
  return batch.length > FEW ? removeBatch.call(this, batch) : batch.forEach((one) => this.remove(one));
};

Collection.prototype.removeBatchByPositions = function (positions) {
  if (positions.length > FEW) {
    return removeBatchByPositions.call(this, positions);
  }
  return positions.map((position) => this.data[position]).forEach((one) => this.remove(one));
};

Collection.prototype.update = function (changed) {
  if (!Array.isArray(changed) || changed.length > FEW) {
    return update.call(this, changed);
  }
  changed.forEach((one) => update.call(this, one));
};

// A queue is asked for by its name before its account, and each account has one of that name.
const { findOne } = Collection.prototype;

Collection.prototype.findOne = function (query) {
  return findOne.call(this, query?.accountName === undefined ? query : { accountName: query.accountName, ...query });
};
