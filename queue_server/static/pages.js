// Charts, and tables that are opened to be printed. Everything on the pages works without this file.
(() => {
  "use strict";

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const percent = (value) => (value === null || value === undefined ? "–" : `${(value * 100).toFixed(1)}%`);
  // Lines are told apart by their dashes too.
  const DASHES = [[], [8, 4], [2, 4], [12, 4, 2, 4], [4, 4], [16, 6]];
  const drawn = [];

  function lines(chart) {
    return chart.series.map((one, index) => ({
      label: one.label,
      stroke: () => colour(`--series-${index + 1}`),
      width: 2,
      dash: DASHES[index % DASHES.length],
      points: { show: true, size: 7 },
      spanGaps: true,
      value: (_, value) => percent(value),
    }));
  }

  function drawIntervals(plot, chart) {
    const { ctx } = plot;
    ctx.save();
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.globalAlpha = chart.x.length > 30 ? 0.35 : 1;
    chart.series.forEach((one, index) => {
      ctx.strokeStyle = colour(`--series-${index + 1}`);
      // Versions that share a week stand beside each other.
      const aside = (index - (chart.series.length - 1) / 2) * 4 * devicePixelRatio;
      chart.x.forEach((at, i) => {
        if (one.lows[i] === null || one.highs[i] === null) return;
        const x = plot.valToPos(at, "x", true) + aside;
        ctx.beginPath();
        ctx.moveTo(x, plot.valToPos(one.lows[i], "y", true));
        ctx.lineTo(x, plot.valToPos(one.highs[i], "y", true));
        ctx.stroke();
      });
    });
    ctx.restore();
  }

  function drawMarks(plot, chart) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = ctx.strokeStyle = colour("--soft");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    for (const mark of chart.marks) {
      const x = plot.valToPos(mark.at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const isRight = x > bbox.left + bbox.width - 60 * devicePixelRatio;
      ctx.textAlign = isRight ? "right" : "left";
      const text = mark.label.length > 12 ? `${mark.label.slice(0, 11)}…` : mark.label;
      ctx.fillText(text, x + (isRight ? -4 : 4) * devicePixelRatio, bbox.top + 11 * devicePixelRatio);
    }
    ctx.restore();
  }

  function range(chart) {
    const ends = chart.series.flatMap((one) => [...one.lows, ...one.highs, ...one.values]).filter((end) => end !== null);
    const low = Math.min(...ends), high = Math.max(...ends), room = Math.max(0.01, (high - low) * 0.12);
    return [Math.max(0, low - room), Math.min(1.0, high + room)];
  }

  // Weeks stand where they begin, as many as there is room for.
  const thinned = (x, most) => x.filter((_, index) => index % Math.ceil(x.length / most) === 0);

  function draw(figure) {
    const chart = JSON.parse(figure.dataset.chart), room = figure.querySelector(".plot");
    const axis = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false } };
    const first = chart.x[0], last = chart.x[chart.x.length - 1];
    const plot = new uPlot(
      {
        width: room.clientWidth,
        height: 260,
        tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
        scales: { x: { range: [first - chart.step / 2, last + chart.step / 2] }, y: { range: range(chart) } },
        axes: [
          { ...axis, splits: (plot) => thinned(chart.x, plot.width / 80), values: (_, times) => times.map((at) => new Date(at * 1000).toISOString().slice(5, 10)) },
          { ...axis, size: 52, values: (_, values) => values.map((value) => `${+(value * 100).toFixed(1)}%`) },
        ],
        series: [{ value: (_, at) => (at ? new Date(at * 1000).toISOString().slice(0, 10) : "–"), label: "From" }, ...lines(chart)],
        hooks: { drawAxes: [(one) => drawMarks(one, chart)], draw: [(one) => drawIntervals(one, chart)] },
        cursor: { drag: { x: false, y: false } },
      },
      [chart.x, ...chart.series.map((one) => one.values)],
      room,
    );
    drawn.push(plot);
    new ResizeObserver(() => {
      if (room.clientWidth && room.clientWidth !== plot.width) plot.setSize({ width: room.clientWidth, height: 260 });
    }).observe(room);
  }

  const start = () => document.querySelectorAll("figure[data-chart]").forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach((plot) => plot.redraw()));
  // On paper the tables stand beside the charts.
  addEventListener("beforeprint", () => document.querySelectorAll("details.table").forEach((one) => { one.open = true; }));

  // A filter that is chosen from a list is applied at once; typed ones when they are left or sent.
  document.addEventListener("change", (event) => {
    const box = event.target.closest("[data-choose-all]");
    if (!box) return;
    document.querySelectorAll(`[name=${box.dataset.chooseAll}]`).forEach((one) => { one.checked = box.checked; });
  });
  // What a screen reader is told when the list below a filter has changed.
  document.addEventListener("htmx:afterSwap", (event) => {
    const said = event.target.querySelector("[data-said]"), live = document.getElementById("live");
    if (said && live) live.textContent = said.dataset.said;
  });
  // On a phone the cards come first.
  if (innerWidth < 960) document.querySelectorAll("details.filters").forEach((one) => { one.open = false; });
  start();
})();
