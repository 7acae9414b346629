"use strict";
// Search in a report: all text enters the page as text nodes, nothing is loaded.
(function () {
  var MOST = 20;

  function make(tag, text, kind) {
    var node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (kind) node.className = kind;
    return node;
  }

  function plain(text) {
    return text.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "");
  }

  // whole text first, then beginnings, then anywhere
  function find(rows, keys, query) {
    var words = plain(query.trim()), found = [[], [], []];
    if (!words) return [];
    rows.forEach(function (row) {
      var best = Math.min.apply(null, keys(row).map(function (key) {
        var place = key === words ? 0 : key.indexOf(words);
        return place < 0 ? 3 : key === words ? 0 : place === 0 ? 1 : 2;
      }));
      if (best < 3) found[best].push(row);
    });
    return found[0].concat(found[1], found[2]);
  }

  function line(table, title, numbers, items, right, more, ordered) {
    var row = table.insertRow(), head = make("th", title);
    head.scope = "row";
    row.appendChild(head);
    var cell = row.insertCell();
    if (!numbers.length) { cell.textContent = "nothing"; return; }
    var list = cell.appendChild(make(ordered ? "ol" : "ul"));
    numbers.forEach(function (number) {
      var hit = right[number];
      list.appendChild(make("li", (hit ? "\u2713 " : "") + items[number][0], hit ? "hit" : ""));
    });
    if (more > 0) list.appendChild(make("li", "and " + more + " more", "note"));
  }

  function both(one, other) {
    var right = {};
    one.forEach(function (number) { if (other.indexOf(number) >= 0) right[number] = true; });
    return right;
  }

  function table(caption) {
    var node = make("table", undefined, "plain");
    node.createCaption().textContent = caption;
    node.appendChild(make("tbody"));
    return node;
  }

  function entry(title) {
    var node = make("details");
    node.appendChild(make("summary", title));
    return node;
  }

  function user(row, data) {
    var right = both(row[2], row[3]), node = entry(row[0] + ": " + row[6] + " of " + row[5] + " found");
    var wide = node.appendChild(make("div", undefined, "wide"));
    var shown = wide.appendChild(table(data.row + " " + row[0]));
    if (data.histories) line(shown, "had, the latest first", row[1], data.items, {}, row[4] - row[1].length, false);
    line(shown, data.model + " recommends", row[2], data.items, right, 0, true);
    line(shown, "took later", row[3], data.items, right, row[5] - row[3].length, false);
    return node;
  }

  function item(row, data) {
    var node = entry(row[0] + (row[0] === row[1] ? "" : " (" + row[1] + ")"));
    var text = data.histories ? row[2] + " " + data.rows + " had it; " : "";
    text += data.model + " recommends it to " + row[3] + ", " + row[4] + " took it later, " + row[5] + " of them after ";
    node.appendChild(make("p", text + "it was recommended."));
    return node;
  }

  function connect(input, rows, keys, show) {
    var keyed = rows.map(function (row) { return { row: row, keys: keys(row).map(plain) }; });
    var output = input.parentNode.querySelector(".results"), status = input.parentNode.querySelector(".status");
    input.addEventListener("input", function () {
      var found = find(keyed, function (one) { return one.keys; }, input.value);
      output.textContent = "";
      status.textContent = !input.value.trim() ? "" : !found.length ? "Nothing found." :
        found.length + " found" + (found.length > MOST ? ", the first " + MOST + " shown." : ".");
      found.slice(0, MOST).forEach(function (one) {
        var node = output.appendChild(show(one.row));
        node.open = found.length === 1;
      });
    });
  }

  document.querySelectorAll(".search").forEach(function (block) {
    var data = JSON.parse(block.querySelector("script").textContent), inputs = block.querySelectorAll("input");
    connect(inputs[0], data.users, function (row) { return [row[0]]; }, function (row) { return user(row, data); });
    connect(inputs[1], data.items, function (row) { return [row[0], row[1]]; }, function (row) { return item(row, data); });
    block.hidden = false;
  });
})();
