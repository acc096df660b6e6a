// Tables whose rows stay the same elements while their values change: the place on the page, a selection and the
// keyboard's focus survive every update.

const asCell = (value) => (value !== null && typeof value === "object" ? value : { text: value });

const write = (element, value) => {
  const { text, lines, kind = "", href, small, title = "" } = asCell(value);
  const written = JSON.stringify([text, lines, kind, href, small, title]);
  if (element.written === written) return;
  element.written = written;
  element.className = kind;
  element.title = title;
  const parts = (lines || [String(text)]).map((line) => {
    const part = document.createElement(href ? "a" : "span");
    part.textContent = line;
    if (href) part.href = href;
    return part;
  });
  if (small) {
    const below = document.createElement("small");
    below.textContent = small;
    parts.push(below);
  }
  element.replaceChildren(...parts);
};

// `cells(row)` gives the row's values from left to right, the first one being the row's name; `key(row)` its identity.
export const table = (element, { key, cells, nothing }) => {
  const body = element.tBodies[0];
  const columns = element.tHead.rows[0].cells.length;
  const known = new Map();

  const make = (row) => {
    const tr = document.createElement("tr");
    const made = cells(row).map((_, place) => {
      const cell = document.createElement(place ? "td" : "th");
      if (!place) cell.scope = "row";
      return cell;
    });
    tr.append(...made);
    return { tr, made };
  };
  const show = (row) => {
    const name = String(key(row));
    if (!known.has(name)) known.set(name, make(row));
    const { tr, made } = known.get(name);
    cells(row).forEach((value, place) => write(made[place], value));
    return tr;
  };
  const empty = () => {
    const tr = document.createElement("tr");
    const td = document.createElement("td");
    td.colSpan = columns;
    td.className = "nothing";
    td.textContent = nothing;
    tr.append(td);
    return tr;
  };

  return {
    // one row has other values
    update: show,
    // these are the rows now
    show: (rows) => {
      const shown = rows.map(show);
      const names = new Set(rows.map((row) => String(key(row))));
      for (const name of known.keys()) if (!names.has(name)) known.delete(name);
      const wanted = shown.length ? shown : [empty()];
      for (const tr of [...body.rows]) if (!wanted.includes(tr)) tr.remove();
      wanted.forEach((tr, place) => {
        if (body.rows[place] !== tr) body.insertBefore(tr, body.rows[place] || null);
      });
    },
  };
};
