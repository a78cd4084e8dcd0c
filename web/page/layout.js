// The columns of the streams' table: chains that do not contradict each other
// share one, its columns in an order that is right for all of them.

// merge gives an order of the slots in which each chain is in order, or null.
export function merge(chains) {
  const after = new Map(), before = new Map();
  for (const chain of chains) {
    chain.forEach((slot, i) => {
      if (!after.has(slot)) { after.set(slot, new Set()); before.set(slot, new Set()); }
      if (i > 0) { after.get(chain[i - 1]).add(slot); before.get(slot).add(chain[i - 1]); }
    });
  }
  const order = [], left = [...after.keys()];
  while (left.length) {
    const at = left.findIndex((slot) => [...before.get(slot)].every((s) => order.includes(s)));
    if (at < 0) return null;
    order.push(left[at]);
    left.splice(at, 1);
  }
  return order;
}

// layout gives tables: {columns, chains (a set of their joined names)}. The
// most frequent chains come first.
export function layout(streams) {
  const counts = new Map();
  for (const stream of streams) {
    const id = chainOf(stream).join();
    counts.set(id, (counts.get(id) || 0) + 1);
  }
  const ids = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1));
  const tables = [];
  for (const id of ids) {
    const chain = id ? id.split(",") : [];
    const fits = tables.find((t) => merge([...t.parts, chain]));
    const table = fits || { parts: [], chains: new Set() };
    if (!fits) tables.push(table);
    table.parts.push(chain);
    table.chains.add(id);
    table.columns = merge(table.parts);
  }
  return tables;
}

// chainOf is the stream's chain with the slots that left it and still stop.
export function chainOf(stream) {
  if (!stream.columns) {
    const own = new Set(stream.chain);
    for (const slot of stream.slots) own.add(slot.slot);
    stream.columns = [...own];
  }
  return stream.columns;
}
