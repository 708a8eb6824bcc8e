"""OpenGL renderer of triangle meshes: one light with shadows, depth and owners.

ModernGL renders off screen, with Mesa's software renderer if there is no graphics card
(Debian: libegl1 libgl1-mesa-dri).
"""

from dataclasses import dataclass, field
from pathlib import Path

import moderngl
import numpy as np

_SHADERS = Path(__file__).parent / 'shaders'
_SHADOW_SIZE = 512
_NOISE = 32  # samples a side, as in cut.glsl
_NEAR, _FAR = 0.05, 200.0
_BACKGROUND_DEPTH = 1e6
# Attributes of vertices, three numbers each, named as in the shaders.
_ATTRIBUTES = ('position', 'normal', 'rest', 'rest_normal', 'place', 'color')
NO_CUT = (-100.0, 100.0, 0.0, 1.0)
NO_CUT_LIMB = (100.0, -1.0, 0.0, -100.0)


@dataclass
class Surface:
    """Triangles of one material.

    Attributes:
        position (np.ndarray): Vertices in the world: meters, z up, (V, 3).
        normal (np.ndarray): Their normals, (V, 3).
        rest (np.ndarray): Vertices at rest, texture coordinates of fabrics, (V, 3).
        rest_normal (np.ndarray): Normals at rest, (V, 3).
        triangles (np.ndarray): (F, 3).
        place (np.ndarray): Garment coordinates for cuts, (V, 3).
        color (np.ndarray): Linear RGB of surfaces without fabric, (V, 3) or (3,).
        fabric (int): Index of the fabric, -1 for none.
        tile (float): Size of the fabric's tile, meters.
        gloss (float): Strength of highlights.
        folds (tuple): Depth and size (meters) of folds, and speckle.
        owner (int): Number of the person, 0 for objects.
        cut_height (tuple): See ``shaders/cut.glsl``.
        cut_limb (tuple): As above.
        seed (tuple): Offset of fabric and folds.
        only_shadow (bool): Whether only its received shadows are rendered.
        closed (bool): Whether back faces can be culled; triangles are counterclockwise
            from outside.
    """

    position: np.ndarray
    normal: np.ndarray
    rest: np.ndarray
    rest_normal: np.ndarray
    triangles: np.ndarray
    place: np.ndarray | None = None
    color: np.ndarray | None = None
    fabric: int = -1
    tile: float = 0.5
    gloss: float = 0.0
    folds: tuple[float, float, float] = (0.0, 0.1, 0.0)
    owner: int = 0
    cut_height: tuple[float, ...] = NO_CUT
    cut_limb: tuple[float, ...] = NO_CUT_LIMB
    seed: tuple[float, float, float] = (0.0, 0.0, 0.0)
    only_shadow: bool = False
    closed: bool = False


@dataclass
class Light:
    """Directional and ambient light, linear RGB.

    Attributes:
        direction (np.ndarray): Unit vector towards the sun, (3,).
        sun (np.ndarray): Color of the sun, (3,); zeros for none.
        sky (np.ndarray): Ambient light from above, (3,).
        ground (np.ndarray): Ambient light from below, (3,).
    """

    direction: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    ground: np.ndarray


@dataclass
class Camera:
    """A pinhole camera: ``x = K (R p + t)``, x right, y down, z forward.

    Attributes:
        intrinsics (np.ndarray): fx, fy, cx, cy in pixels.
        rotation (np.ndarray): World to camera, (3, 3).
        translation (np.ndarray): World to camera, meters, (3,).
        size (tuple[int, int]): Width and height in pixels.
    """

    intrinsics: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    size: tuple[int, int]

    @property
    def eye(self) -> np.ndarray:
        """Position in the world, meters, (3,)."""
        return -self.rotation.T @ self.translation

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Transform points (..., 3) to the camera's frame."""
        return points @ self.rotation.T + self.translation

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points (..., 3) in front of the camera to pixels (..., 2)."""
        x, y, z = np.moveaxis(self.to_camera(points), -1, 0)
        fx, fy, cx, cy = self.intrinsics
        z = np.maximum(z, _NEAR)
        return np.stack([fx * x / z + cx, fy * y / z + cy], -1)


@dataclass
class Scene:
    """Surfaces, light and background.

    Attributes:
        light (Light): The light.
        background (np.ndarray): Linear RGB, float32 (H, W, 3).
        surfaces (list[Surface]): In any order.
    """

    light: Light
    background: np.ndarray
    surfaces: list[Surface] = field(default_factory=list)


def create_context() -> moderngl.Context:
    """Create an OpenGL context without a window.

    Raises:
        ValueError: If OpenGL 3.3 is missing; the message says what to install.
    """
    try:
        return moderngl.create_context(standalone=True, backend='egl', require=330)
    except Exception as error:  # ModernGL and the loader raise bare exceptions
        raise ValueError(
            f'OpenGL 3.3 is needed to render ({error}); on Debian: apt-get install '
            'libegl1 libgl1-mesa-dri'
        ) from error


class Renderer:
    """Renders scenes at one size.

    Args:
        size (tuple[int, int]): Width and height in pixels.
        fabrics (np.ndarray): Linear RGB tiles, uint8 (N, H, W, 3), N at most 2048.

    Raises:
        ValueError: If OpenGL 3.3 is missing; the message says what to install.
    """

    def __init__(self, size: tuple[int, int], fabrics: np.ndarray) -> None:
        self.gl = create_context()
        self.size = size
        number, height, width, _ = fabrics.shape
        self.fabrics = self.gl.texture_array(
            (width, height, number), 3, np.ascontiguousarray(fabrics).tobytes()
        )
        self.fabrics.build_mipmaps()
        self.fabrics.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        noise = np.random.default_rng(0).integers(0, 256, (_NOISE,) * 3, np.uint8)
        self.noise = self.gl.texture3d((_NOISE,) * 3, 1, noise.tobytes())
        vertex = _source('surface.vert')
        self.program = self.gl.program(vertex, _source('surface.frag'))
        self.outline = self.gl.program(vertex, _source('outline.frag'))
        self.layouts = {
            program: _layout(program) for program in (self.program, self.outline)
        }
        self.radiance = self.gl.texture(size, 4, dtype='f4')
        self.seen = self.gl.texture(size, 2, dtype='f4')
        self.target = self.gl.framebuffer(
            [self.radiance, self.seen], self.gl.depth_renderbuffer(size)
        )
        self.shadow = self.gl.depth_texture((_SHADOW_SIZE, _SHADOW_SIZE))
        self.shadow.compare_func = ''
        self.shadow_target = self.gl.framebuffer(depth_attachment=self.shadow)

    def release(self) -> None:
        """Free the memory of OpenGL."""
        held = (self.fabrics, self.noise, self.program, self.outline, self.radiance)
        held += (self.seen, self.target, self.shadow, self.shadow_target, self.gl)
        for part in held:
            part.release()

    def __call__(
        self, scene: Scene, camera: Camera, focus: np.ndarray, radius: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Render a scene.

        Args:
            scene (Scene): The scene.
            camera (Camera): Camera of this renderer's size.
            focus (np.ndarray): Center of the shadow map, (3,).
            radius (float): Radius of the shadow map, meters.

        Returns:
            tuple[np.ndarray, np.ndarray, np.ndarray]: Linear RGB, float32 (H, W, 3);
            depth in meters, float32 (H, W); and owner of the surface, int (H, W).
        """
        to_light = _light_matrix(scene.light.direction, focus, radius)
        buffers = [self._upload(surface) for surface in scene.surfaces]
        self.gl.enable_only(moderngl.DEPTH_TEST)
        self.noise.use(2)
        self._draw_shadows(scene, buffers, to_light)
        self._draw_surfaces(scene, camera, buffers, to_light)
        for pair in buffers:
            for buffer in pair:
                buffer.release()
        width, height = self.size
        radiance = np.frombuffer(self.radiance.read(), np.float32)
        seen = np.frombuffer(self.seen.read(), np.float32)
        radiance = radiance.reshape(height, width, 4)[::-1]
        seen = seen.reshape(height, width, 2)[::-1]
        covered = radiance[..., 3:]
        image = radiance[..., :3] + (1 - covered) * scene.background
        depth = np.where(seen[..., 0] > 0, seen[..., 0], _BACKGROUND_DEPTH)
        return image, depth, np.rint(seen[..., 1]).astype(int)

    def _upload(self, surface: Surface) -> tuple[moderngl.Buffer, moderngl.Buffer]:
        number = len(surface.position)
        place = np.zeros((number, 3)) if surface.place is None else surface.place
        color = 1.0 if surface.color is None else surface.color
        color = np.broadcast_to(color, (number, 3))
        attributes = [surface.position, surface.normal, surface.rest]
        attributes += [surface.rest_normal, place, color]
        vertices = np.concatenate(attributes, 1, dtype=np.float32, casting='same_kind')
        indices = np.ascontiguousarray(surface.triangles, np.int32)
        return self.gl.buffer(vertices.tobytes()), self.gl.buffer(indices.tobytes())

    def _draw_shadows(self, scene: Scene, buffers: list, to_light: np.ndarray) -> None:
        self.shadow_target.use()
        self.shadow_target.clear()
        if not np.any(scene.light.sun):
            return
        program = self.outline
        _set(program, view=np.eye(4), projection=to_light, random=2)
        for surface, pair in zip(scene.surfaces, buffers, strict=True):
            if not surface.only_shadow:
                self._draw(program, surface, pair)

    def _draw_surfaces(
        self, scene: Scene, camera: Camera, buffers: list, to_light: np.ndarray
    ) -> None:
        self.target.use()
        self.target.clear()
        light = scene.light
        view = np.eye(4)
        view[:3, :3], view[:3, 3] = camera.rotation, camera.translation
        projection = _projection(camera)
        self.fabrics.use(0)
        self.shadow.use(1)
        _set(
            self.program,
            view=view,
            projection=projection,
            to_light=to_light,
            fabrics=0,
            shadow=1,
            random=2,
            eye=camera.eye,
            sun_direction=light.direction,
            sun=light.sun,
            sky=light.sky,
            ground=light.ground,
        )
        # depth first: each pixel is shaded once
        _set(self.outline, view=view, projection=projection, random=2)
        self.target.color_mask = ((False,) * 4,) * 2
        for surface, pair in zip(scene.surfaces, buffers, strict=True):
            self._draw(self.outline, surface, pair)
        self.target.color_mask = ((True,) * 4,) * 2
        self.target.depth_mask = False
        self.gl.depth_func = '=='
        for surface, pair in zip(scene.surfaces, buffers, strict=True):
            _set(
                self.program,
                material=(surface.fabric, surface.tile, surface.gloss, surface.owner),
                surface=(*surface.folds, float(surface.only_shadow)),
                seed=surface.seed,
            )
            self._draw(self.program, surface, pair)
        self.gl.depth_func = '<'
        self.target.depth_mask = True

    def _draw(
        self,
        program: moderngl.Program,
        surface: Surface,
        pair: tuple[moderngl.Buffer, moderngl.Buffer],
    ) -> None:
        _set(program, cut_height=surface.cut_height, cut_limb=surface.cut_limb)
        (self.gl.enable if surface.closed else self.gl.disable)(moderngl.CULL_FACE)
        vertices, indices = pair
        array = self.gl.vertex_array(
            program, [(vertices, *self.layouts[program])], indices
        )
        array.render()
        array.release()


def _layout(program: moderngl.Program) -> tuple[str, ...]:
    """Format of the vertices, and the attributes that a program uses."""
    used = [name for name in _ATTRIBUTES if name in program]
    sizes = ['3f' if name in used else '12x' for name in _ATTRIBUTES]
    return ' '.join(sizes), *used


def _source(name: str) -> str:
    text = (_SHADERS / name).read_text()
    return text.replace('//#include cut.glsl', (_SHADERS / 'cut.glsl').read_text())


def _set(program: moderngl.Program, **uniforms) -> None:
    """Set the uniforms that a program has; matrices are row-major."""
    for name, value in uniforms.items():
        if name not in program:
            continue
        value = np.asarray(value)
        if value.ndim == 2:
            program[name].write(np.ascontiguousarray(value.T, np.float32).tobytes())
        else:
            program[name].value = tuple(value) if value.ndim else value.item()


def _projection(camera: Camera) -> np.ndarray:
    """Projection matrix to clip space from camera axes with y down, z forward."""
    fx, fy, cx, cy = camera.intrinsics
    width, height = camera.size
    depth = _FAR - _NEAR
    return np.array(
        [
            [2 * fx / width, 0, 2 * cx / width - 1, 0],
            [0, -2 * fy / height, 1 - 2 * cy / height, 0],
            [0, 0, (_FAR + _NEAR) / depth, -2 * _FAR * _NEAR / depth],
            [0, 0, 1, 0],
        ]
    )


def _light_matrix(
    direction: np.ndarray, focus: np.ndarray, radius: float
) -> np.ndarray:
    """Orthographic projection along the light, of a sphere around the focus."""
    aside = np.cross(
        direction, (0.0, 0.0, 1.0) if abs(direction[2]) < 0.9 else (1, 0, 0)
    )
    aside = aside / np.linalg.norm(aside)
    axes = np.stack([aside, np.cross(direction, aside), -direction]) / radius
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes, -axes @ focus
    return matrix
