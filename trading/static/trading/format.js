// How figures are written: rupees with Indian grouping, times in IST. Amounts come as text, never as floats.

export const NOTHING = "–";
const IST = new Intl.DateTimeFormat("en-GB", {
  timeZone: "Asia/Kolkata", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

const grouped = (whole) => {
  const head = whole.slice(0, -3);
  const pairs = head.replace(/\B(?=(\d{2})+$)/g, ",");
  return head ? `${pairs},${whole.slice(-3)}` : whole;
};

// "1234567.5" is 123456750: whole paise are exact in a number, rupees are not
export const paiseOf = (text) => {
  const [whole, fraction = ""] = String(text).replace("-", "").split(".");
  const paise = Number(whole) * 100 + Number(fraction.padEnd(2, "0").slice(0, 2));
  return String(text).startsWith("-") ? -paise : paise;
};

// 24,500.05: a price, without the sign of the rupee
export const price = (paise) => {
  if (paise === null || paise === undefined) return NOTHING;
  const digits = String(Math.abs(Math.round(paise))).padStart(3, "0");
  return `${paise < 0 ? "-" : ""}${grouped(digits.slice(0, -2))}.${digits.slice(-2)}`;
};
export const priceOf = (text) => (text === null || text === undefined ? NOTHING : price(paiseOf(text)));

// -₹12,34,567.50
export const rupees = (paise) => {
  if (paise === null || paise === undefined) return NOTHING;
  return `${paise < 0 ? "-" : ""}₹${price(Math.abs(paise))}`;
};
export const rupeesOf = (text) => (text === null || text === undefined ? NOTHING : rupees(paiseOf(text)));

export const count = (number) => `${number < 0 ? "-" : ""}${grouped(String(Math.abs(number)))}`;
export const multiple = (number) => (number === null ? NOTHING : `${number < 0 ? "" : "+"}${number.toFixed(2)} R`);
export const tone = (number) => (!number ? "" : number < 0 ? "bad" : "good");

// hh:mm:ss of a time as the server writes it, which is IST already
export const clock = (text) => (text ? text.slice(11, 19) : NOTHING);
// hh:mm:ss in IST of milliseconds since the epoch
export const clockAt = (ms) => IST.format(ms);

export const seconds = (ms) => `${(Math.max(ms, 0) / 1000).toFixed(1)} s`;
export const duration = (ms) => {
  const minutes = Math.floor(Math.max(ms, 0) / 60000);
  if (minutes < 1) return `${Math.floor(Math.max(ms, 0) / 1000)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};
