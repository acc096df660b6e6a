// The official JavaScript client, unmodified: node client.js ROOT TICKER_ROOT API_KEY API_SECRET
// Prints what happened as one line of JSON.
'use strict';
const { KiteConnect, KiteTicker } = require('kiteconnect');

const [root, tickerRoot, apiKey, apiSecret] = process.argv.slice(2);
const SHARE = 408065, INDEX = 256265;
const PATIENCE_MS = 25000;
const told = { modes: {}, updates: [] };
const kite = new KiteConnect({ api_key: apiKey, root });

// As a browser does it: the page, its button, and the address it is sent on to.
async function requestToken() {
  const query = new URLSearchParams({ api_key: apiKey, v: '3', redirect_params: 'state=a%2Bb' });
  const page = await fetch(`${root}/connect/login?${query}`, { headers: { Accept: 'text/html' } });
  const fields = [...(await page.text()).matchAll(/name="(\w+)" value="([^"]*)"/g)].map((m) => [m[1], m[2]]);
  const sent = await fetch(`${root}/connect/login`, {
    method: 'POST', body: new URLSearchParams(fields), redirect: 'manual',
  });
  const address = new URL(sent.headers.get('location'));
  told.redirect = { status: sent.status, query: Object.fromEntries(address.searchParams) };
  return address.searchParams.get('request_token');
}

async function logIn() {
  const session = await kite.generateSession(await requestToken(), apiSecret);
  told.session = { user_id: session.user_id, has_time: session.login_time instanceof Date };
}

async function read() {
  told.profile = (await kite.getProfile()).user_id;
  told.margins = (await kite.getMargins('equity')).enabled;
  told.instruments = (await kite.getInstruments('NSE')).filter((row) => row.tradingsymbol === 'INFY').length;
  told.quote = Object.keys(await kite.getQuote(['NSE:INFY', 'NSE:NOBODY']));
  told.last = (await kite.getLTP(['NSE:INFY']))['NSE:INFY'].last_price;
  told.low = (await kite.getOHLC(['NSE:INFY']))['NSE:INFY'].ohlc.low;
  const day = (await kite.getQuote(['NSE:INFY']))['NSE:INFY'].timestamp;
  const date = new Date(day).toISOString().slice(0, 10);
  const candles = await kite.getHistoricalData(SHARE, 'minute', `${date} 09:15:00`, `${date} 15:30:00`);
  told.candles = candles.length;
  told.holdings = await kite.getHoldings();
  told.funds = await kite.getMFHoldings();
  const order = {
    exchange: 'NSE', tradingsymbol: 'INFY', transaction_type: 'BUY', variety: 'regular', product: 'MIS',
    order_type: 'LIMIT', quantity: 1, price: 1000,
  };
  told.margin = (await kite.orderMargins([order]))[0].total;
}

function order(more) {
  return kite.placeOrder('regular', {
    exchange: 'NSE', tradingsymbol: 'INFY', transaction_type: 'BUY', quantity: 1, product: 'MIS',
    order_type: 'LIMIT', validity: 'DAY', ...more,
  }).then((answer) => answer.order_id);
}

async function history(orderId, isSo) {
  for (;;) {
    const rows = await kite.getOrderHistory(orderId);
    if (isSo(rows[rows.length - 1])) return rows[rows.length - 1];
  }
}

async function trade() {
  const far = Math.round(told.last * 0.96), farther = Math.round(told.last * 0.95);
  const orderId = await order({ price: far, tag: 'JSFAR' });
  await history(orderId, (row) => row.status === 'OPEN');
  await kite.modifyOrder('regular', orderId, { price: farther });
  told.modified = (await history(orderId, (row) => row.price === farther && row.status === 'OPEN')).price === farther;
  await kite.cancelOrder('regular', orderId);
  told.cancelled = (await history(orderId, (row) => row.status === 'CANCELLED')).tag;
  told.bought = await order({ order_type: 'MARKET', market_protection: -1, tag: 'JSBUY' });
  await history(told.bought, (row) => row.status === 'COMPLETE');
  told.trades = (await kite.getOrderTrades(told.bought)).length;
  told.positions = (await kite.getPositions()).net.length;
  told.orders = (await kite.getOrders()).length;
  told.refusal = await order({ order_type: 'MARKET' }).catch((error) => error);
  const trigger = await kite.placeGTT({
    trigger_type: 'single', tradingsymbol: 'INFY', exchange: 'NSE', trigger_values: [far],
    last_price: told.last, orders: [
      { transaction_type: 'SELL', quantity: 1, product: 'CNC', order_type: 'LIMIT', price: far },
    ],
  });
  told.trigger = (await kite.getGTTs()).filter((row) => row.id === trigger.trigger_id).length;
  await kite.deleteGTT(trigger.trigger_id);
}

function stream() {
  const ticker = new KiteTicker({
    api_key: apiKey, access_token: kite.access_token, root: `${tickerRoot}/`, reconnect: false,
  });
  const connected = new Promise((resolve) => ticker.on('connect', resolve));
  const streamed = new Promise((resolve) => {
    const next = { quote: 'ltp', ltp: 'full' };
    ticker.on('ticks', (ticks) => {
      const mode = ticks[0].mode;
      if (ticks.length < 2 || ticks.some((tick) => tick.mode !== mode)) return;
      told.modes[mode] = ticks.map((tick) => [tick.instrument_token, tick.tradable, tick.last_price > 0]);
      if (mode === 'full') resolve(ticker);
      else ticker.setMode(next[mode], [SHARE, INDEX]);
    });
  });
  ticker.on('order_update', (update) => told.updates.push(update));
  connected.then(() => ticker.subscribe([SHARE, INDEX]));
  ticker.connect();
  return streamed;
}

async function main() {
  await logIn();
  const ticker = await stream();
  await read();
  await trade();
  const isTold = () => told.updates.some((row) => row.order_id === told.bought && row.status === 'COMPLETE');
  while (!isTold()) await new Promise((resolve) => setTimeout(resolve, 50));
  told.isConnected = ticker.connected();
  ticker.disconnect();
  await kite.invalidateAccessToken();
  told.after = (await kite.getProfile().catch((error) => error)).error_type;
}

setTimeout(() => { told.problem = 'it took too long'; finish(); }, PATIENCE_MS).unref();
function finish() {
  process.stdout.write(JSON.stringify(told) + '\n', () => process.exit(0));
}
main().catch((error) => { told.problem = String(error && (error.stack || error.message) || error); }).then(finish);
