// In place of react-custom-scrollbars-2, which does not survive the bundling: nothing in a picture
// can be scrolled.
import { Component } from 'react';

export default class Scrollbars extends Component {
  scrollTop() {}
  scrollToTop() {}
  scrollToBottom() {}
  scrollToLeft() {}

  render() {
    return <div style={{ position: 'relative', overflow: 'hidden', width: '100%', height: '100%' }}>{this.props.children}</div>;
  }
}
