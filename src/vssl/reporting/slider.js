// Shows the error rates of a threshold on the known samples; the rest of the page works without scripts.
const numbers = JSON.parse(document.getElementById("numbers").textContent);
const limit = document.getElementById("limit");
const say = (name, text) => { const element = document.getElementById(name); if (element) element.textContent = text; };
const percent = share => (100 * share).toFixed(2) + " %";
const rate = (count, of, upper) => `${percent(count / of)} (${count} of ${of}; at most ${percent(upper)} with 95 % confidence)`;
const show = () => {
  const at = Number(limit.value);
  say("at", numbers.limits[at].toPrecision(5) + (at === numbers.start ? " (the policy)" : ""));
  say("alarms", rate(numbers.false_alarms[at], numbers.normals, numbers.false_alarms_upper[at]));
  if (numbers.defects) say("misses", rate(numbers.misses[at], numbers.defects, numbers.misses_upper[at]));
  if (numbers.costs.length) say("cost", numbers.costs[at].toPrecision(4));
};
limit.addEventListener("input", show);
document.getElementById("slider").hidden = false;
show();
