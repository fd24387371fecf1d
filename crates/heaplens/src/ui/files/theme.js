// Runs before anything is drawn: the theme that was chosen, if one was.
(() => {
  try {
    const theme = localStorage.getItem('heaplens.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is denied: the system's theme it is.
  }
})();
