// Runs before the page is drawn, so that a light page does not flash dark first.
const stored = localStorage.getItem("relume-theme");
if (stored === "light") document.documentElement.dataset.theme = "light";
document.addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  const show = () => {
    const light = document.documentElement.dataset.theme === "light";
    button?.setAttribute("aria-pressed", String(light));
  };
  show();
  button?.addEventListener("click", () => {
    const light = document.documentElement.dataset.theme !== "light";
    document.documentElement.dataset.theme = light ? "light" : "dark";
    localStorage.setItem("relume-theme", light ? "light" : "dark");
    show();
  });
});
