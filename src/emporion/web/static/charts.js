// Draws each table marked as a chart above itself; the table stays, for whoever would rather read.
(function () {
  "use strict";
  var HEIGHT = 210;
  var SPARSE = 12;
  var COLOURS = ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5", "--line-6"];
  var MEMORY = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096].map(function (mib) {
    return mib * 1048576;
  });
  var drawn = [];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function two(number) {
    return String(number).padStart(2, "0");
  }

  function clock(seconds, withSeconds) {
    var at = new Date(seconds * 1000);
    var text = two(at.getUTCHours()) + ":" + two(at.getUTCMinutes());
    return withSeconds ? text + ":" + two(at.getUTCSeconds()) : text;
  }

  function short(value) {
    return String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
  }

  var UNITS = {
    rate: function (value) { return short(value) + "/s"; },
    span: function (value) {
      if (value >= 1000) { return short(value / 1000) + " s"; }
      return value > 0 && value < 1 ? short(value * 1000) + " µs" : short(value) + " ms";
    },
    size: function (value) { return short(value / 1048576) + " MB"; },
    age: function (value) { return short(value) + " s"; },
    share: function (value) { return short(value * 100) + "%"; },
    amount: function (value) {
      return value.toLocaleString("en", { maximumFractionDigits: value >= 100 ? 0 : 2 });
    },
    count: function (value) { return short(value); }
  };

  function read(section) {
    var rows = Array.from(section.querySelectorAll("tr[data-x]"));
    var columns = [rows.map(function (row) { return Number(row.dataset.x); })];
    section.querySelectorAll("th[data-line]").forEach(function (_, place) {
      columns.push(rows.map(function (row) {
        var text = row.children[place + 1].dataset.y;
        return text === "" ? null : Number(text);
      }));
    });
    return columns;
  }

  function isSparse(values) {
    return values.filter(function (value) { return value !== null; }).length <= SPARSE;
  }

  function options(section, width, columns) {
    var from = columns[0][0];
    var to = columns[0][columns[0].length - 1];
    var unit = UNITS[section.dataset.unit];
    var soft = colour("--ink-soft");
    var grid = { stroke: colour("--line"), width: 1 };
    var font = "12px Inter, system-ui, sans-serif";
    var names = Array.from(section.querySelectorAll("th[data-line]"), function (th) {
      return th.textContent;
    });
    return {
      width: width,
      height: HEIGHT,
      scales: {
        x: { time: true, range: function () { return [from, to]; } },
        y: { range: function (_, low, high) { return [0, high > 0 ? high * 1.1 : 1]; } }
      },
      axes: [
        {
          stroke: soft, grid: grid, ticks: grid, font: font,
          values: function (_, splits) {
            return splits.map(function (at) { return clock(at, to - from <= 600); });
          }
        },
        {
          stroke: soft, grid: grid, ticks: { show: false }, font: font, size: 64,
          incrs: section.dataset.unit === "size" ? MEMORY : undefined,
          values: function (_, splits) { return splits.map(unit); }
        }
      ],
      series: [{ label: "UTC", value: function (_, at) { return at === null ? "–" : clock(at, true); } }]
        .concat(names.map(function (name, place) {
          return {
            label: name,
            stroke: colour(COLOURS[place % COLOURS.length]),
            width: 2,
            spanGaps: true,
            points: { show: isSparse(columns[place + 1]), size: 6 },
            value: function (_, value) { return value === null ? "–" : unit(value); }
          };
        })),
      cursor: { drag: { x: false, y: false }, points: { size: 7 } },
      legend: { live: true }
    };
  }

  function draw(section) {
    var box = section.querySelector(".chart-canvas");
    var columns = read(section);
    box.hidden = false;
    box.replaceChildren();
    var plot = new uPlot(options(section, box.clientWidth, columns), columns, box);
    drawn.push({ section: section, box: box, plot: plot });
  }

  function clear(within) {
    drawn = drawn.filter(function (one) {
      if (within.contains(one.section)) {
        one.plot.destroy();
        return false;
      }
      return true;
    });
  }

  function drawAll(within) {
    clear(within);
    within.querySelectorAll("[data-chart]").forEach(draw);
  }

  document.addEventListener("htmx:beforeSwap", function (event) { clear(event.detail.target); });
  document.addEventListener("htmx:afterSwap", function (event) { drawAll(event.detail.target); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () {
    drawAll(document.body);
  });
  addEventListener("resize", function () {
    drawn.forEach(function (one) {
      one.plot.setSize({ width: one.box.clientWidth, height: HEIGHT });
    });
  });
  drawAll(document.body);
})();
