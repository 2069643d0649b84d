// Test hostnames have no DNS entry: every look-up of this process answers 127.0.0.1.
import dns from 'node:dns';

dns.lookup = (_hostname, options, callback) => {
  if (typeof options === 'function') return process.nextTick(options, null, '127.0.0.1', 4);
  if (options && options.all) return process.nextTick(callback, null, [{ address: '127.0.0.1', family: 4 }]);
  return process.nextTick(callback, null, '127.0.0.1', 4);
};
