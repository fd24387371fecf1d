// All that is done with the page, in an order in which the service gets older: what takes two
// snapshots or a verdict comes last.
import * as first from './cases/first.mjs';
import * as flame from './cases/flame.mjs';
import * as maps from './cases/maps.mjs';
import * as past from './cases/past.mjs';
import * as tables from './cases/tables.mjs';
import * as trouble from './cases/trouble.mjs';
import * as weight from './cases/weight.mjs';

export const cases = { ...first, ...tables, ...flame, ...trouble, ...weight, ...maps, ...past };
