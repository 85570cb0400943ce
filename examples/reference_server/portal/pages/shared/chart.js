// SPDX-License-Identifier: Apache-2.0
// Small charts as SVG, drawn of elements; colours are the style sheet's.
import {h, svg, replace} from './dom.js';

const WIDTH = 640; // until it is known how much there is
const HEIGHT = 160;
const LEAST_LEFT = 52;
const LETTER = 7; // of the y axis, about so wide
const BOTH_LABELS = 320; // what two moments with their days need, one beside the other
const RIGHT = 8;
const TOP = 10;
const BOTTOM = 24;

// A round number that is at least `value`.
function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 2.5, 5, 10]) if (step * power >= value) return step * power;
  return 10 * power;
}

const path = (points) => points.map(([x, y], i) => `${i ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join(' ');

const shown = new WeakMap(); // figure to what it shows, to be drawn again when its width is another
const widths = new ResizeObserver((entries) => {
  for (const {target} of entries) {
    if (target.clientWidth && target.clientWidth !== Number(target.dataset.width)) draw(target, shown.get(target));
  }
});

// series: [{name, values: [number|null], line: 1|2}]; labels: the x axis's two ends; text(value) for the y axis. Into `figure`, which may
// be drawn again.
export function drawLines(figure, chart) {
  if (!shown.has(figure)) widths.observe(figure);
  shown.set(figure, chart);
  draw(figure, chart);
}

function draw(figure, {title, series, labels, text, marks = []}) {
  const width = figure.clientWidth || WIDTH; // in pixels, so that letters are as large as elsewhere
  figure.dataset.width = width;
  const top = ceiling(Math.max(...series.flatMap((s) => s.values.filter((v) => v !== null)), 0));
  const count = Math.max(...series.map((s) => s.values.length), 2);
  const scale = [0, 0.5, 1].map((share) => [top * share, text(top * share)]);
  const left = Math.max(LEAST_LEFT, 12 + LETTER * Math.max(...scale.map(([, words]) => words.length)));
  const ends = width - left - RIGHT < BOTH_LABELS ? labels.map((label) => label.split(', ').at(-1)) : labels;
  const x = (i) => left + ((width - left - RIGHT) * i) / (count - 1);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const latest = series.map((s) => `${s.name} ${text(s.values.findLast((v) => v !== null) ?? null)}`).join(', ');
  const drawing = svg('svg', {
    viewBox: `0 0 ${width} ${HEIGHT}`,
    role: 'img',
    'aria-label': `${title}. Latest: ${latest}.`,
  });
  for (const [value, words] of scale) {
    drawing.append(
      svg('line', {class: 'grid', x1: left, x2: width - RIGHT, y1: y(value), y2: y(value)}),
      svg('text', {x: left - 8, y: y(value) + 4, 'text-anchor': 'end'}, words),
    );
  }
  drawing.append(
    svg('text', {x: left, y: HEIGHT - 6}, ends[0]),
    svg('text', {x: width - RIGHT, y: HEIGHT - 6, 'text-anchor': 'end'}, ends[1]),
  );
  for (const {values, line} of series) {
    const offset = count - values.length;
    let run = [];
    const runs = [];
    values.forEach((value, i) => {
      if (value === null) run = [];
      else {
        if (!run.length) runs.push(run);
        run.push([x(i + offset), y(value)]);
      }
    });
    for (const points of runs) {
      if (points.length === 1)
        drawing.append(svg('circle', {class: `dot line-${line}`, cx: points[0][0], cy: points[0][1], r: 2.5}));
      else drawing.append(svg('path', {class: `line line-${line}`, d: path(points)}));
    }
  }
  for (const {index, value, label} of marks) {
    drawing.append(
      svg(
        'circle',
        {class: 'mark', cx: x(index + count - series[0].values.length), cy: y(value), r: 4},
        svg('title', null, label),
      ),
    );
  }
  replace(
    figure,
    h(
      'figcaption',
      null,
      title,
      h(
        'span',
        {class: 'legend'},
        series.map((s) => h('span', null, h('i', {class: `key key-${s.line}`}), s.name)),
      ),
    ),
    drawing,
  );
}

// Where the time of one attempt went; a bar and the same in words.
export function timings(ms, text) {
  const parts = [
    ['DNS', ms.dns],
    ['Connect', ms.connect],
    ['TLS', ms.tls],
    ['First byte', ms.first_byte],
  ];
  const known = parts.map(([, value]) => Number(value ?? 0));
  const spent = known.reduce((a, b) => a + b, 0);
  const total = Math.max(Number(ms.total ?? 0), spent, 0.001);
  const all = [...parts, ['Rest', Math.max(0, total - spent)]];
  const drawing = svg('svg', {viewBox: '0 0 1000 20', preserveAspectRatio: 'none', 'aria-hidden': 'true'});
  let at = 0;
  all.forEach(([, value], i) => {
    const width = (1000 * Number(value ?? 0)) / total;
    drawing.append(svg('rect', {class: `part-${i}`, x: at, y: 0, width: Math.max(0, width), height: 20}));
    at += width;
  });
  return h(
    'div',
    {class: 'timings'},
    drawing,
    h(
      'ul',
      null,
      all.map(([name, value], i) =>
        h('li', null, h('i', {class: `key part-${i}`}), `${name} `, h('b', null, text(value ?? null))),
      ),
      h('li', null, 'Total ', h('b', null, text(ms.total ?? null))),
    ),
  );
}

// A half circle: how much of 10,000 basis points, and how much it would be.
export function dial(now, then) {
  const point = (share, radius) => {
    const angle = Math.PI * (1 - share);
    return [110 + radius * Math.cos(angle), 110 - radius * Math.sin(angle)];
  };
  const arc = (from, to) => {
    const [x1, y1] = point(from, 90);
    const [x2, y2] = point(to, 90);
    return `M${x1.toFixed(2)} ${y1.toFixed(2)} A90 90 0 0 1 ${x2.toFixed(2)} ${y2.toFixed(2)}`;
  };
  const a = now / 10000;
  const b = then / 10000;
  const [nx, ny] = point(b, 70);
  return svg(
    'svg',
    {class: 'dial', viewBox: '0 0 220 126', role: 'img', 'aria-label': `${now / 100} % now, ${then / 100} % chosen`},
    svg('path', {class: 'dial-all', d: arc(0, 1)}),
    Math.min(a, b) > 0 && svg('path', {class: 'dial-now', d: arc(0, Math.min(a, b))}),
    a !== b && svg('path', {class: b > a ? 'dial-more' : 'dial-less', d: arc(Math.min(a, b), Math.max(a, b))}),
    svg('line', {class: 'dial-hand', x1: 110, y1: 110, x2: nx, y2: ny}),
    svg('circle', {class: 'dial-hub', cx: 110, cy: 110, r: 6}),
  );
}
