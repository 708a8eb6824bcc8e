// Images to inputs of networks: scaled, moved, normalized, channels first.

const canvas = document.createElement('canvas');
const brush = canvas.getContext('2d', { willReadFrequently: true });

// Draw an image at x * zoom + shift (pixels by their centers, as in OpenCV) on a gray
// background, and write (3, height, width) numbers to target from an offset on.
export function fillInput(image, { width, height, zoom, shift, gray, smooth }, { color, mean, std }, target, offset = 0) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  brush.setTransform(1, 0, 0, 1, 0, 0);
  brush.fillStyle = `rgb(${gray}, ${gray}, ${gray})`;
  brush.fillRect(0, 0, width, height);
  const [x, y] = shift.map((by, axis) => by + 0.5 - 0.5 * zoom[axis]);
  brush.setTransform(zoom[0], 0, 0, zoom[1], x, y);
  // 'medium' averages, 'low' interpolates between four pixels
  brush.imageSmoothingQuality = smooth ? 'medium' : 'low';
  brush.drawImage(image, 0, 0);
  const pixels = brush.getImageData(0, 0, width, height).data;
  const size = width * height;
  for (let channel = 0; channel < 3; channel += 1) {
    const source = 'RGB'.indexOf(color[channel]);
    const [middle, scale] = [mean[channel], 1 / std[channel]];
    const start = offset + channel * size;
    for (let pixel = 0; pixel < size; pixel += 1) target[start + pixel] = (pixels[4 * pixel + source] - middle) * scale;
  }
}
