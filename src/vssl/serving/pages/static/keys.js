// A key presses what is marked with it, unless somebody is writing.
let pressed = false;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.target.matches("input[name=note], select")) return;
  const place = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (place && !pressed) {
    // Whoever types fast means the next sample, which is not there yet.
    pressed = true;
    event.preventDefault();
    place.click();
  }
});
